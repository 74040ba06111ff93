"""What the daemon was told, on disk before it answers "done"."""
