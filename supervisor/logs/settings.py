"""What is told to the log store: sizes, ages, limits. Frozen data."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

from attrs import field, frozen
from attrs.validators import ge

from supervisor.units.log_settings import at_least
from supervisor.units.quantities import Size

StreamName: TypeAlias = Literal["stdout", "stderr"]
Key: TypeAlias = tuple[str, StreamName]
"""A stream by the unit that writes it."""
STREAMS: Final[tuple[StreamName, ...]] = ("stdout", "stderr")

KIB: Final = 1024
MIB: Final = 1024 * KIB


@frozen(kw_only=True)
class StoreSettings:
    """How the log store as a whole behaves."""

    quota: Size | None = field(default=Size(2048 * MIB), validator=at_least(MIB))
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
