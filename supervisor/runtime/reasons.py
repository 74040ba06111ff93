"""Why an incarnation ended: a closed union, so that every decision about an end is exhaustive. Pure data."""

from __future__ import annotations

from typing import Final, TypeAlias

from attrs import field, frozen


@frozen
class Normal:
    """It returned by itself, or an actor stopped itself."""


@frozen
class Stopped:
    """It was asked to stop and did. ``detail`` says why it was asked."""

    detail: str


@frozen(eq=False)
class Crashed:
    """It raised. ``error`` is the exception with single-member groups unwrapped, ``origin`` what was really raised."""

    error: Exception
    origin: BaseException = field(repr=False)

    @classmethod
    def by(cls, error: Exception) -> Crashed:
        """Build the reason for an error that needed no unwrapping."""
        return cls(error, error)


@frozen
class Cancelled:
    """It was cancelled; ``by`` says who did it and why (for example because its time to stop had passed)."""

    by: str


ExitReason: TypeAlias = Normal | Stopped | Crashed | Cancelled

NORMAL: Final = Normal()


def failed(reason: ExitReason) -> bool:
    """Tell whether the end was an unwanted one. Only a crash is: the others were somebody's wish."""
    return isinstance(reason, Crashed)


def describe(reason: ExitReason) -> str:
    """Return the reason as half a sentence for people."""
    match reason:
        case Normal():
            return "ended normally"
        case Stopped(detail):
            return f"was stopped ({detail})"
        case Crashed(error):
            return f"crashed with {type(error).__name__}: {error}"
        case Cancelled(by):
            return f"was cancelled ({by})"
