"""Images: fetched from their registries with progress, and looked after."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Final

import trio
from attrs import define, field, frozen

from supervisor.containers.engine import Engine
from supervisor.containers.errors import EngineTimedOut
from supervisor.containers.events import Lines
from supervisor.containers.facts import table
from supervisor.containers.refusals import refusal

_SILENCE: Final = 120.0
"""After this long without a word of progress a pull is given up, in seconds."""


@frozen(kw_only=True)
class PullProgress:
    """How far the pull of an image is: what the engine says, and the bytes of all layers together."""

    status: str
    layer: str = ""
    current: int = 0
    total: int = 0


@define
class _Layers:
    """Adds up what the engine tells layer by layer."""

    _current: dict[str, int] = field(factory=dict, init=False)
    _total: dict[str, int] = field(factory=dict, init=False)

    def take(self, status: str, layer: str, detail: object) -> PullProgress:
        numbers = table(detail)
        if layer and isinstance(numbers.get("total"), int) and status == "Downloading":
            self._total[layer] = numbers["total"]
            self._current[layer] = int(numbers.get("current") or 0)
        elif layer in self._total and status in {"Download complete", "Pull complete", "Extracting"}:
            self._current[layer] = self._total[layer]
        return PullProgress(
            status=status, layer=layer, current=sum(self._current.values()), total=sum(self._total.values())
        )


def split_image(image: str) -> tuple[str, str]:
    """Split an image's name into the repository and its tag or digest; the tag is ``latest`` where none is given."""
    if "@" in image:
        repository, _, digest = image.partition("@")
        return repository, digest
    repository, colon, tag = image.rpartition(":")
    return (repository, tag) if colon and "/" not in tag else (image, "latest")


@asynccontextmanager
async def pulling(
    engine: Engine, image: str, platform: str | None = None
) -> AsyncIterator[AsyncIterator[PullProgress]]:
    """Fetch an image; iterate over the value to the end for it to be there. Cancelling it stops the pull.

    Raises ``ImageNotFound``, ``EngineError``, ``EngineOutOfSpace``, ... while iterating.
    """
    headers = await engine.call(lambda client: client.registry_header(image))
    repository, tag = split_image(image)
    query = {"fromImage": repository, "tag": tag} | ({"platform": platform} if platform else {})
    what = f"pull image {image!r}"
    async with (
        engine.stream("POST", "/images/create", query, what=what, within=_SILENCE, headers=headers) as answer,
        aclosing(_progress(aiter(answer), what)) as progress,
    ):
        yield progress


async def pull(engine: Engine, image: str, platform: str | None = None) -> None:
    """Fetch an image and return once it is here."""
    async with pulling(engine, image, platform) as progress:
        async for _step in progress:
            pass


async def _progress(pieces: AsyncIterator[bytes], what: str) -> AsyncGenerator[PullProgress, None]:
    lines, layers = Lines(), _Layers()
    while True:
        try:
            with trio.fail_after(_SILENCE):
                piece = await anext(pieces, None)
        except trio.TooSlowError:
            raise EngineTimedOut(f"cannot {what}: nothing has come for {_SILENCE:g} s") from None
        for line in lines.feed(piece) if piece is not None else lines.finish():
            document = table(json.loads(line))
            if "error" in document:
                raise refusal(500, str(document["error"]), what=what)
            yield layers.take(
                str(document.get("status", "")), str(document.get("id", "")), document.get("progressDetail")
            )
        if piece is None:
            return
