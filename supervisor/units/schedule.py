"""When a unit runs by the clock: a line of cron, a time zone, and what follows where two runs collide or one is missed.

Pure but for one thing: without ``timezone`` the machine's own zone counts, which is read from the system.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime, tzinfo
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from attrs import field, frozen

if TYPE_CHECKING:
    from cronsim import CronSim

_LONGEST_LINE: Final = 200
_LOCAL_ZONE_FILE: Final = "/etc/localtime"
_RULE: Final = 'five fields (minute hour day month weekday), such as "*/5 * * * *", or six with the seconds first'


class Overlap(StrEnum):
    """What follows when a run is due while the last one still goes on."""

    SKIP = "skip"
    """it does not take place"""
    QUEUE = "queue"
    """it takes place once the last one has ended; however many are due meanwhile, it is one"""
    KILL = "kill"
    """the last one is ended for it"""


class Missed(StrEnum):
    """What follows when a run was due while no daemon looked, or the machine slept."""

    SKIP = "skip"
    """it does not take place"""
    ONCE = "once"
    """it takes place at once; however many were missed, it is one"""


def _line(text: str, start: datetime) -> CronSim:
    """Read a line of cron. Raises ``ValueError`` with a sentence."""
    from cronsim import CronSim, CronSimError

    try:
        return CronSim(text, start)
    except CronSimError as error:
        what = str(error).replace("Bad ", "its ", 1) + " cannot be read" if "Bad" in str(error) else str(error).lower()
        raise ValueError(f"{text!r} is no schedule: {what}; a schedule has {_RULE}") from None
    except (AssertionError, TypeError, ValueError):
        # The library's own checks do not cover every mixture of its special forms, such as "1#2/3".
        raise ValueError(f"{text!r} is no schedule; a schedule has {_RULE}") from None


def check_cron(_instance: object, _attribute: object, text: str) -> None:
    """Check, as a validator of attrs, that a line of cron can be read and has a time to come."""
    if len(text) > _LONGEST_LINE or not text.isascii() or not text.isprintable():
        raise ValueError(f"a schedule is at most {_LONGEST_LINE} plain characters: {_RULE}")
    if next(_line(text, datetime(2000, 1, 1, tzinfo=UTC)), None) is None:
        raise ValueError(f"{text!r} never comes")


def check_timezone(_instance: object, _attribute: object, name: str | None) -> None:
    """Check, as a validator of attrs, that there is a time zone of that name."""
    if name is None:
        return
    try:
        ZoneInfo(name)
    except (OSError, ValueError, KeyError):
        raise ValueError(f'there is no time zone {name[:80]!r}; examples: "Europe/Berlin", "UTC"') from None


@frozen(kw_only=True)
class Schedule:
    """Run by the clock instead of being kept up."""

    cron: str = field(validator=check_cron)
    """Minute, hour, day, month and weekday, as in crontab; with a sixth field in front, the second."""
    timezone: str | None = field(default=None, validator=check_timezone)
    """The zone that the times are meant in, such as ``Europe/Berlin``; default: that of the machine."""
    overlap: Overlap = Overlap.SKIP
    """When a run is due and the last one still goes on: ``skip`` it, ``queue`` it, or ``kill`` the last one."""
    missed: Missed = Missed.SKIP
    """When a run was due while no daemon looked: ``skip`` it, or run ``once``."""

    def next_after(self, instant: datetime) -> datetime | None:
        """Return the next time after ``instant``, in UTC; None where there is none within some decades.

        A time that the clocks leave out in spring comes as soon as they go on, and one that they go through twice in
        autumn comes once, unless the line names every hour or minute: these go on by the real time.
        """
        zone = local_zone() if self.timezone is None else ZoneInfo(self.timezone)
        found = next(_line(self.cron, instant.astimezone(zone)), None)
        return None if found is None else found.astimezone(UTC)


@cache
def local_zone() -> tzinfo:
    """Return the machine's own time zone: that of ``TZ``, or of the system, else UTC."""
    name = os.environ.get("TZ", "").removeprefix(":")
    try:
        if name:
            return ZoneInfo(name)
        with open(_LOCAL_ZONE_FILE, "rb") as file:  # noqa: PTH123 - pathlib is not worth its import here
            return ZoneInfo.from_file(file, key="localtime")
    except (OSError, ValueError, KeyError):
        return UTC
