"""Judge how an incarnation ended, and say it in sentences for people. Pure."""

from __future__ import annotations

import signal as _signal
from typing import Final

from attrs import frozen

from supervisor.units.driver import ExitStatus
from supervisor.units.spec import UnitSpec
from supervisor.units.status import Counters, EndReason

_FAULTS: Final = frozenset({"SIGSEGV", "SIGABRT", "SIGBUS", "SIGFPE", "SIGILL", "SIGTRAP", "SIGSYS"})

OUR_STOPS: Final = frozenset({EndReason.STOPPED, EndReason.RESTARTED})
"""The causes for which we end an incarnation because somebody asked for it."""


@frozen
class Judgement:
    """What an end means: its reason, whether it was an unwanted one, and a sentence without a full stop."""

    reason: EndReason
    failed: bool
    detail: str


def judge(status: ExitStatus, spec: UnitSpec, *, up_for: float) -> Judgement:
    """Judge an end that we did not cause."""
    if not status.known:
        return Judgement(EndReason.UNKNOWN, failed=True, detail="ended while nobody was looking; how is not known")
    after = f" after {span(up_for)}"
    if status.over_limit and status.code not in spec.success_exit_codes:
        return Judgement(EndReason.LIMIT, failed=True, detail=f"{how(status)}{after}: {status.over_limit}")
    if status.signal is None:
        wanted = status.code in spec.success_exit_codes
        reason = EndReason.EXITED if wanted else EndReason.CRASHED
        return Judgement(reason, failed=not wanted, detail=how(status) + after)
    if status.out_of_memory:
        return Judgement(EndReason.OUT_OF_MEMORY, failed=True, detail=how(status) + after)
    wanted = signal_name(status.signal).removeprefix("SIG") in spec.success_signals
    reason = EndReason.EXITED if wanted else EndReason.CRASHED
    return Judgement(reason, failed=not wanted, detail=how(status, by_us=False) + after)


def judge_ours(status: ExitStatus, spec: UnitSpec, *, cause: EndReason, detail: str, killed: bool) -> Judgement:
    """Judge an end that we caused for ``cause``; ``detail`` is what a judge said, ``killed`` that time was up."""
    failed = cause not in OUR_STOPS
    if not failed and killed:
        sentence = f"killed, since it did not end within {span(spec.stop_timeout)} of SIG{spec.stop_signal}"
        return Judgement(EndReason.KILLED, failed=False, detail=sentence)
    why = {EndReason.STOPPED: "stopped", EndReason.RESTARTED: "stopped for a restart"}.get(cause, detail)
    return Judgement(cause, failed=failed, detail=f"{why}: {how(status)}" if status.known else why)


def how(status: ExitStatus, *, by_us: bool = True) -> str:
    """Say in words how a process ended."""
    if status.signal is None:
        return f"exited with code {status.code}" if status.known else "ended in a way that is not known"
    name = signal_name(status.signal)
    if status.out_of_memory:
        return f"killed by {name}: out of memory"
    dumped = " (core dumped)" if status.core_dumped else ""
    if name in _FAULTS:
        return f"crashed with {name}{dumped}"
    verb = "killed" if name == "SIGKILL" else "ended"
    return f"{verb} by {name}{dumped}" + ("" if by_us else " from outside")


def signal_name(number: int) -> str:
    """Return a signal's full name; real-time signals without one are told by number."""
    try:
        return _signal.Signals(number).name
    except ValueError:
        return f"SIG{number}"


def count(counters: Counters, reason: EndReason) -> Counters:
    """Return the counters with one more end of this reason; wanted ends are not counted."""
    match reason:
        case EndReason.SPAWN_FAILED | EndReason.NOT_READY:
            return _plus(counters, spawn_failures=1)
        case EndReason.CRASHED | EndReason.OUT_OF_MEMORY:
            return _plus(counters, crashes=1)
        case EndReason.LIVENESS:
            return _plus(counters, liveness_failures=1)
        case EndReason.STALLED:
            return _plus(counters, stalls=1)
        case EndReason.LIMIT:
            return _plus(counters, limits=1)
        case _:
            return counters


def _plus(
    counters: Counters,
    *,
    spawn_failures: int = 0,
    crashes: int = 0,
    liveness_failures: int = 0,
    stalls: int = 0,
    limits: int = 0,
) -> Counters:
    return Counters(
        spawn_failures=counters.spawn_failures + spawn_failures,
        crashes=counters.crashes + crashes,
        liveness_failures=counters.liveness_failures + liveness_failures,
        stalls=counters.stalls + stalls,
        limits=counters.limits + limits,
    )


def span(seconds: float) -> str:
    """Write a length of time for people: ``0.02 s``, ``3.2 s``, ``48 s``, ``12 min``, ``3.5 h``, ``2.1 days``."""
    for limit, divisor, unit in ((120.0, 1.0, "s"), (7200.0, 60.0, "min"), (172800.0, 3600.0, "h")):
        if seconds < limit:
            return f"{_short(seconds / divisor)} {unit}"
    return f"{_short(seconds / 86400)} days"


def _short(amount: float) -> str:
    digits = 2 if amount < 1 else 1 if amount < 10 else 0
    text = f"{amount:.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def ordinal(number: int) -> str:
    """Write 1 as ``1st``, 2 as ``2nd``, 11 as ``11th``."""
    ending = "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def processes(pids: tuple[int, ...]) -> str:
    """Name processes in a sentence: ``process 12``, ``processes 12, 13``."""
    return ("process " if len(pids) == 1 else "processes ") + ", ".join(map(str, pids))
