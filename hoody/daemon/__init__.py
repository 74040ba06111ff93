"""The daemon's entry point: it takes the lock, puts the floors together, and runs them until it is told to stop."""
