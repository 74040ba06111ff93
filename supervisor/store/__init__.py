"""The state that outlives the daemon: definitions, what is wanted of them, how far they are. SQLite behind an actor."""
