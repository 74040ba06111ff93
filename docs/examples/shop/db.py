"""Just enough of the Redis protocol to count: one command, one answer."""

import os
import socket


def ask(*words: str) -> str:
    """Send one command and return the answer's line without its mark."""
    request = f"*{len(words)}\r\n" + "".join(f"${len(word)}\r\n{word}\r\n" for word in words)
    with socket.create_connection(("127.0.0.1", int(os.environ["DB_PORT"])), timeout=2) as db:
        db.sendall(request.encode())
        return db.makefile().readline().strip()[1:]
