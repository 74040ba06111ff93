"""How a container ended, in the words of units. Pure."""

from __future__ import annotations

import signal
from collections.abc import Collection
from typing import Final

from supervisor.units.driver import ExitStatus

KILLED: Final = 128 + signal.SIGKILL
_HARMLESS: Final = frozenset(
    {
        signal.SIGCHLD,
        signal.SIGCONT,
        signal.SIGSTOP,
        signal.SIGTSTP,
        signal.SIGTTIN,
        signal.SIGTTOU,
        signal.SIGURG,
        signal.SIGWINCH,
    }
)
UNKNOWN_EXIT: Final = ExitStatus(known=False)


def exit_status(code: int, *, out_of_memory: bool, success_codes: Collection[int]) -> ExitStatus:
    """Translate an engine's exit code.

    Engines have one number for both ways to end: a death by signal n reads as 128 + n. So does a program that returns
    such a number by itself, as shells and the small init do when their child died of the signal; both mean the same to
    whoever wants to know what happened. A code that the definition lists as a success stays a code.
    """
    number = code - 128
    is_signal = 1 <= number <= signal.SIGRTMAX and number not in {32, 33} and number not in _HARMLESS
    if not is_signal or code in success_codes:
        return ExitStatus(code=code)
    # The engine notes any out-of-memory kill in the container; it is the end's cause only where a KILL was the end.
    return ExitStatus(signal=number, out_of_memory=out_of_memory and code == KILLED)
