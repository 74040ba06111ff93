"""What every supervised thing shares: its definition, its status, its state machine and its messages."""
