"""What a person or a program touches: the command line, the Python client and the daemon's entry point."""
