"""Contain what a child raises, and classify it: the one place of the runtime where a child's exception is caught."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVarTuple

import trio

from supervisor.runtime.reasons import NORMAL, Cancelled, Crashed, Normal

Ts = TypeVarTuple("Ts")


async def contain(
    scope: trio.CancelScope, function: Callable[[*Ts], Awaitable[None]], *args: *Ts
) -> Normal | Cancelled | Crashed:
    """Run ``function`` inside ``scope`` and return how it ended.

    Raises only what is not the child's own affair: ``KeyboardInterrupt``, ``SystemExit`` and their like, trio's
    internal error, and the cancellation of a scope further out.
    """
    try:
        with scope:
            await function(*args)
    except BaseException as error:
        # The only place that catches everything; what is not a crash of the child is raised again.
        reason = classify(error)
        if reason is None:
            raise
        return reason
    return Cancelled("its scope was cancelled") if scope.cancelled_caught else NORMAL


def classify(error: BaseException) -> Crashed | None:
    """Return the crash that ``error`` stands for, or None where it must be raised on.

    The scope of the child has taken its own cancellation out of ``error`` already, so a ``trio.Cancelled`` that is left
    is somebody else's. Beside an ``Exception`` it is what a failing clean-up looks like: the failure wins, and trio
    delivers the cancellation again at the next checkpoint.
    """
    if isinstance(error, BaseExceptionGroup):
        if error.subgroup(_is_fatal) is not None:
            return None
        part = error.subgroup(Exception)
        return None if part is None else Crashed(_unwrap(part), error)
    if not isinstance(error, Exception) or _is_fatal(error):
        return None
    return Crashed(error, error)


def _is_fatal(error: BaseException) -> bool:
    """Tell whether ``error`` ends the whole program: never restarted, never swallowed."""
    if isinstance(error, BaseExceptionGroup):
        return False
    return isinstance(error, trio.TrioInternalError) or not isinstance(error, Exception | trio.Cancelled)


def _unwrap(error: Exception) -> Exception:
    """Return the only member of groups that have one, so that it can be matched and shown; else the group."""
    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error
