"""How the logs of a unit are kept: what a definition says about it. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from attrs import Attribute, field, frozen
from attrs.validators import ge

from supervisor.units.quantities import Duration, Size

_KIB: Final = 1024
_MIB: Final = 1024 * _KIB
_LARGEST_COMPRESSED: Final = 4000 * _MIB


def at_least(least: float) -> Callable[[object, Attribute[Any], float | None], None]:
    """Return a validator of attrs for a number that may be missing."""

    def check(_instance: object, attribute: Attribute[Any], value: float | None) -> None:
        if value is not None and value < least:
            raise ValueError(f"{attribute.name} must be at least {least}, got {value!r}")

    return check


@frozen(kw_only=True)
class LogSettings:
    """How the logs of one unit are kept."""

    max_size: Size = field(default=Size(10 * _MIB), validator=ge(Size(4 * _KIB)))
    """A file that has reached this size is rotated at the next end of a line."""
    backups: int = field(default=5, validator=ge(0))
    """How many rotated files are kept per stream, beside the current one."""
    max_age: Duration | None = field(default=None, validator=at_least(1))
    """A file whose first byte is older than this is rotated when the next byte arrives."""
    compress: bool = False
    """Compress rotated files with gzip."""

    def __attrs_post_init__(self) -> None:
        if self.compress and self.max_size > _LARGEST_COMPRESSED:
            raise ValueError("max_size must be at most 4000 MiB where backups are compressed: gzip counts to 4 GiB")
