"""Run commands in a live container, and talk to the program that runs there."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final

from attrs import define, field

from supervisor.containers.engine import Engine
from supervisor.containers.errors import EngineError
from supervisor.containers.frames import Demultiplexer, Stream
from supervisor.containers.wire import Answer

_UPGRADE: Final = {"Content-Type": "application/json", "Connection": "Upgrade", "Upgrade": "tcp"}


@define(eq=False)
class Execution:
    """A command that runs in a container. Iterate over it for its output; then ask for its exit code."""

    _engine: Engine
    id: str
    _answer: Answer
    _split: Demultiplexer = field(factory=Demultiplexer)

    async def __aiter__(self) -> AsyncIterator[tuple[Stream, bytes]]:
        """Yield its output piece by piece, until its end."""
        async for piece in self._answer:
            for frame in self._split.feed(piece):
                yield frame
        for frame in self._split.finish():
            yield frame

    async def send(self, data: bytes) -> None:
        """Write to its standard input."""
        await self._answer.send(data)

    async def send_eof(self) -> None:
        """Close its standard input."""
        await self._answer.send_eof()

    async def exit_code(self) -> int:
        """Return its exit code. To be asked after the output has come to its end."""
        code = await self._engine.call(lambda client: client.exec_code(self.id))
        if code is None:
            raise EngineError(f"the command {self.id[:12]} has closed its output and still runs")
        return code


@asynccontextmanager
async def executing(
    engine: Engine,
    container: str,
    command: Sequence[str],
    *,
    stdin: bool = False,
    tty: bool = False,
    environment: Mapping[str, str] | None = None,
    user: str = "",
    directory: str | None = None,
) -> AsyncIterator[Execution]:
    """Run a command in a container that is up.

    Raises ``ContainerNotFound``, ``ContainerNotRunning``, ``ContainerPaused``. Leaving the block early leaves the
    command running: engines have no way to end it.
    """
    made = await engine.call(
        lambda client: client.exec_create(
            container, command, stdin=stdin, tty=tty, environment=environment or {}, user=user, directory=directory
        )
    )
    body = json.dumps({"Detach": False, "Tty": tty}).encode()
    what = f"run {command[0]!r} in container {container[:12]}"
    async with engine.stream("POST", f"/exec/{made}/start", what=what, headers=_UPGRADE, body=body) as answer:
        yield Execution(engine, made, answer, _Raw() if tty else Demultiplexer())


@define
class _Raw(Demultiplexer):
    """A terminal's output: one stream, as it comes."""

    def feed(self, data: bytes) -> list[tuple[Stream, bytes]]:  # type: ignore[override]
        return [("stdout", data)]


async def write_input(engine: Engine, container: str, data: bytes) -> None:
    """Write to the standard input of the container's program, which must be defined with ``stdin = true``."""
    query = {"stream": 1, "stdin": 1}
    what = f"write to container {container[:12]}"
    async with engine.stream("POST", f"/containers/{container}/attach", query, what=what, headers=_UPGRADE) as answer:
        await answer.send(data)
