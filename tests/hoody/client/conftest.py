"""A server on loopback that says what a test tells it to, byte for byte: for what a well-behaved daemon never does."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from hoody.client.call import Endpoint
from supervisor.errors import DaemonNotRunning

Step = bytes | Callable[[socket.socket], None]


class ScriptedServer:
    """Takes one connection per step, reads one request, and answers with the step's bytes (or lets it act)."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.requests: list[bytes] = []
        self._thread: threading.Thread | None = None

    def play(self, *steps: Step) -> None:
        self._thread = threading.Thread(target=self._play, args=(steps,), daemon=True)
        self._thread.start()

    def _play(self, steps: tuple[Step, ...]) -> None:
        for step in steps:
            connection, _ = self._listener.accept()
            with connection:
                connection.settimeout(10)
                self.requests.append(_read_request(connection))
                if callable(step):
                    step(connection)
                else:
                    connection.sendall(step)

    def close(self) -> None:
        self._listener.close()
        if self._thread is not None:
            self._thread.join(10)


def _read_request(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(65536)
    head, _, body = data.partition(b"\r\n\r\n")
    length = next((int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0)
    while len(body) < length:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


class ScriptedFinder:
    """Finds what a test has put there: each call takes the next endpoint, the last one stays."""

    def __init__(self, *endpoints: Endpoint | None) -> None:
        self._endpoints = list(endpoints)

    def find(self) -> Endpoint:
        found = self._endpoints.pop(0) if len(self._endpoints) > 1 else self._endpoints[0]
        if found is None:
            raise DaemonNotRunning("no daemon is running")
        return found


def answer(status: int, body: bytes, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    found = ScriptedServer()
    yield found
    found.close()


@pytest.fixture
def finder() -> type[ScriptedFinder]:
    return ScriptedFinder


@pytest.fixture
def answering() -> Callable[..., bytes]:
    return answer


@pytest.fixture
def free_port() -> int:
    """A port on which nothing listens: it was ours a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])
