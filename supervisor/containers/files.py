"""Files in and out of a container, as tar streams: nothing is held in memory as a whole."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from supervisor.containers import wire
from supervisor.containers.engine import Engine
from supervisor.containers.errors import ContainerNotFound
from supervisor.errors import NotFound


@asynccontextmanager
async def reading_files(engine: Engine, container: str, path: str) -> AsyncIterator[AsyncIterator[bytes]]:
    """Give the tar archive of a file or folder in a container, running or not. Raises ``NotFound``."""
    what = f"read {path!r} in container {container[:12]}"
    try:
        async with engine.stream("GET", f"/containers/{container}/archive", {"path": path}, what=what) as answer:
            yield aiter(answer)
    except ContainerNotFound as error:
        # The engine answers alike for a container and for a path that is not there; its sentence tells them apart.
        raise error if "no such container" in str(error).lower() else NotFound(str(error)) from error


async def write_files(engine: Engine, container: str, folder: str, archive: wire.Body) -> None:
    """Unpack a tar archive into a folder of a container. The folder must exist. Raises ``NotFound``."""
    what = f"write to {folder!r} in container {container[:12]}"
    headers = {"Content-Type": "application/x-tar"}
    query = {"path": folder, "noOverwriteDirNonDir": 1}
    try:
        async with engine.stream(
            "PUT", f"/containers/{container}/archive", query, what=what, headers=headers, body=archive
        ):
            return
    except ContainerNotFound as error:
        raise error if "no such container" in str(error).lower() else NotFound(str(error)) from error
