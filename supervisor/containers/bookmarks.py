"""Where the reading of each unit's output has come to, kept on disk, so that the next daemon goes on from there.

A bookmark joins a place in the engine's log to the end of our own streams at the same moment. It is written now and
then, not with every line: what our files hold beyond it is known by where they end now, and is left out when the
engine tells it again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from attrs import field, frozen

from supervisor.containers.cursor import Place
from supervisor.containers.frames import Stream
from supervisor.logs import Position, parse_position

STREAMS: Final[tuple[Stream, ...]] = ("stdout", "stderr")


@frozen(kw_only=True)
class Bookmark:
    """A place in a container's log, and where our own streams ended when it was reached."""

    container: str
    place: Place = field(factory=Place)
    ends: Mapping[Stream, Position] = field(factory=dict)

    def beyond(self, ends: Mapping[Stream, Position]) -> dict[Stream, int]:
        """Return how many bytes of each stream were kept after the bookmark, given where the streams end now.

        A stream that was erased meanwhile holds nothing of before.
        """
        return {
            stream: max(0, ends[stream].offset - self.ends[stream].offset)
            for stream in STREAMS
            if stream in ends and stream in self.ends and ends[stream].epoch == self.ends[stream].epoch
        }


class Bookmarks:
    """The bookmarks in a folder, a file for each unit. Blocking; from any thread, one per unit at a time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def load(self, unit: str) -> Bookmark | None:
        """Return what was saved last; None where nothing was, or what is there cannot be read."""
        try:
            document = json.loads((self._folder / f"{unit}.json").read_bytes())
            ends = document["ends"]
            return Bookmark(
                container=str(document["container"]),
                place=Place(since=int(document["since"]), taken=int(document["taken"])),
                ends={stream: parse_position(ends[stream]) for stream in STREAMS if stream in ends},
            )
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def save(self, unit: str, bookmark: Bookmark) -> None:
        """Replace what was saved last, whole or not at all. Raises ``OSError``."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._folder / f"{unit}.json"
        fresh = path.with_suffix(".new")
        document = {
            "container": bookmark.container,
            "since": bookmark.place.since,
            "taken": bookmark.place.taken,
            "ends": {stream: str(position) for stream, position in bookmark.ends.items()},
        }
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            json.dump(document, file)
        fresh.replace(path)

    def forget(self, unit: str) -> None:
        """Remove a unit's bookmark, if there is one."""
        (self._folder / f"{unit}.json").unlink(missing_ok=True)
