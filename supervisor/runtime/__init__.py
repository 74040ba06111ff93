"""The actor runtime and the supervision tree. Knows no process and no container."""
