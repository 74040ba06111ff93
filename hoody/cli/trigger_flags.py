"""The flags of ``run`` and ``create`` that say what sets an agent going, beside somebody who starts it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import asyncclick

from hoody.cli.command import SectionOption

_CLOCK: Final = "Running by the clock"

PLAIN_FLAGS: Final[Mapping[str, str]] = {
    "schedule": "schedule.cron",
    "timezone": "schedule.timezone",
    "overlap": "schedule.overlap",
    "missed": "schedule.missed",
}
"""Parameters whose value goes into the definition as it is, and the key that each sets."""

OPTIONS: Final = (
    asyncclick.option(
        "--schedule",
        cls=SectionOption,
        section=_CLOCK,
        metavar="CRON",
        help="Run it by a line of cron, such as '*/5 * * * *', instead of keeping it up.",
    ),
    asyncclick.option(
        "--timezone",
        cls=SectionOption,
        section=_CLOCK,
        metavar="ZONE",
        help="The zone of these times, such as Europe/Berlin (that of the machine).",
    ),
    asyncclick.option(
        "--overlap",
        cls=SectionOption,
        section=_CLOCK,
        type=asyncclick.Choice(("skip", "queue", "kill")),
        metavar="WHAT",
        help="When a run is due and the last one goes on: skip it, queue it, or kill the last one (skip).",
    ),
    asyncclick.option(
        "--missed",
        cls=SectionOption,
        section=_CLOCK,
        type=asyncclick.Choice(("skip", "once")),
        metavar="WHAT",
        help="When a run was due while no daemon ran: skip it, or run once (skip).",
    ),
)
