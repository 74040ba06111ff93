"""``stopping.json``: what a daemon that is ending still waits for. By then it serves no API that could tell."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Sequence

from hoody.daemon.private_file import read_private, write_private
from hoody.home import Home
from supervisor.errors import NotAllowed


def write_waiting_for(home: Home, names: Sequence[str]) -> None:
    """Tell the names, and that nothing is waited for where there are none. Raises ``OSError``."""
    write_private(home.stopping_file, json.dumps(list(names)))


def read_waiting_for(home: Home) -> tuple[str, ...]:
    """Return the names that the daemon told last; none where it told nothing."""
    try:
        return tuple(str(name) for name in json.loads(read_private(home.stopping_file)))
    except (OSError, ValueError, TypeError, NotAllowed):
        return ()


def remove_waiting_for(home: Home) -> None:
    """Remove the file: at the end of a stop, and at a start after one that was cut off."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(home.stopping_file)  # noqa: PTH108 - the paths of hoody.home are text
