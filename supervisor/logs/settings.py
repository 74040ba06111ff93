"""What is told to the log store: sizes, ages, limits. Frozen data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Literal, TypeAlias

from attrs import Attribute, field, frozen
from attrs.validators import ge

from supervisor.units.quantities import Duration, Size

StreamName: TypeAlias = Literal["stdout", "stderr"]
Key: TypeAlias = tuple[str, StreamName]
"""A stream by the unit that writes it."""
STREAMS: Final[tuple[StreamName, ...]] = ("stdout", "stderr")

KIB: Final = 1024
MIB: Final = 1024 * KIB
_LARGEST_COMPRESSED: Final = 4000 * MIB


def _at_least(least: float) -> Callable[[object, Attribute[Any], float | None], None]:
    def check(_instance: object, attribute: Attribute[Any], value: float | None) -> None:
        if value is not None and value < least:
            raise ValueError(f"{attribute.name} must be at least {least}, got {value!r}")

    return check


@frozen(kw_only=True)
class LogSettings:
    """How the logs of one unit are kept."""

    max_size: Size = field(default=Size(10 * MIB), validator=ge(Size(4 * KIB)))
    """A file that has reached this size is rotated at the next end of a line."""
    backups: int = field(default=5, validator=ge(0))
    """How many rotated files are kept per stream, beside the current one."""
    max_age: Duration | None = field(default=None, validator=_at_least(1))
    """A file whose first byte is older than this is rotated when the next byte arrives."""
    compress: bool = False
    """Compress rotated files with gzip."""

    def __attrs_post_init__(self) -> None:
        if self.compress and self.max_size > _LARGEST_COMPRESSED:
            raise ValueError("max_size must be at most 4000 MiB where backups are compressed: gzip counts to 4 GiB")


@frozen(kw_only=True)
class StoreSettings:
    """How the log store as a whole behaves."""

    quota: Size | None = field(default=Size(2048 * MIB), validator=_at_least(MIB))
    """The most that all logs together may take; the oldest backups of any unit go first. None: no limit."""
    pipe_size: int = field(default=MIB, validator=ge(4 * KIB))
    """What the buffer of a busy stream is enlarged to, where the kernel lets us."""
    open_files: int = field(default=128, validator=ge(1))
    """How many log files are kept open at the same time; a descriptor and an index descriptor each."""
    retry_first: float = 0.1
    """How long to wait before a failed write is tried again; doubled at each further failure."""
    retry_longest: float = 5.0
    notify_interval: float = 0.02
    """Those who wait for a stream to grow are woken at most once per this many seconds."""
