"""The flags of ``run`` and ``create`` that say how an agent stands to others."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, TypeVar

import asyncclick

from hoody.cli.command import SectionOption
from hoody.cli.completers import agent_names
from supervisor.errors import InvalidInput

F = TypeVar("F", bound=Callable[..., Any])

_SECTION: Final = "What it depends on"

OPTIONS: Final = (
    asyncclick.option(
        "--depends-on",
        "depends_on",
        cls=SectionOption,
        section=_SECTION,
        multiple=True,
        metavar="NAME[=UNTIL]",
        shell_complete=agent_names,
        help="Start it once NAME is started, ready (if not given), healthy or completed.",
    ),
    asyncclick.option(
        "--on-dependency-restart",
        cls=SectionOption,
        section=_SECTION,
        type=asyncclick.Choice(("ignore", "restart")),
        metavar="WHAT",
        help="When one of these ends or restarts: ignore it, or restart with it (ignore).",
    ),
    asyncclick.option(
        "--priority",
        cls=SectionOption,
        section=_SECTION,
        type=int,
        metavar="NUMBER",
        help="Where many are started at once, lower ones are started first, 0 to 1000 (100).",
    ),
)


def dependencies(words: Iterable[str]) -> dict[str, str]:
    """Read the values of ``--depends-on``; the daemon checks the names and conditions. Raises ``InvalidInput``."""
    found: dict[str, str] = {}
    for word in words:
        name, equals, until = word.partition("=")
        if not name or (equals and not until):
            raise InvalidInput(f"--depends-on expects NAME or NAME=UNTIL, got {word!r}")
        if name in found:
            raise InvalidInput(f"--depends-on names {name!r} twice")
        found[name] = until or "ready"
    return found
