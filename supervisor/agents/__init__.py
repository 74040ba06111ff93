"""An operating-system process as a unit."""
