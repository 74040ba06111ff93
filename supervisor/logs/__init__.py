"""The output of agents and containers, from their descriptors to files, and back to readers."""
