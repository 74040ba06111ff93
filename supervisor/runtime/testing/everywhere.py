"""Break a scenario at every place where it can be broken, one run per place.

A fault that is put where the author expected one finds what the author expected. These harnesses first count the places
of an undisturbed run, then run the scenario again once for each.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import trio
import trio.testing

from supervisor.runtime.testing.clock import run_with_clock
from supervisor.runtime.testing.faults import Faults


class StepLimit(Exception):
    """The scenario has more places than the harness was told to visit."""


class Scenario(Protocol):
    """One run of what is tested, and the rule that must hold after it, however it was broken."""

    async def run(self) -> None:
        """Do it. Called in a fresh trio run, on a virtual clock."""

    def check(self) -> None:
        """Raise ``AssertionError`` where the rule is broken. Called after the run has ended with no task left."""


class _CancelAtStep(trio.abc.Instrument):
    """Counts the scheduler's steps and cancels a scope before the chosen one."""

    def __init__(self, at: int | None) -> None:
        self.steps = 0
        self.scope = trio.CancelScope()
        self._at = at

    def before_task_step(self, _task: trio.lowlevel.Task) -> None:
        """Count a step."""
        if self.steps == self._at:
            self.scope.cancel(reason=f"cancelled at step {self._at}")
        self.steps += 1


def cancel_at_every_step(make: Callable[[], Scenario], *, limit: int = 5000) -> int:
    """Run a scenario once undisturbed, then once for every step of the scheduler, cancelled there from outside.

    Returns the number of runs. A run that leaks a task does not end, and the test's own time limit reports it.
    """
    steps = _run_cancelled(make(), None)
    if steps > limit:
        raise StepLimit(f"the scenario takes {steps} steps, more than {limit}")
    for step in range(steps):
        _run_cancelled(make(), step)
    return steps + 1


def _run_cancelled(scenario: Scenario, at: int | None) -> int:
    instrument = _CancelAtStep(at)

    async def main() -> None:
        with instrument.scope:
            await scenario.run()

    clock = trio.testing.MockClock(autojump_threshold=0)
    trio.run(main, clock=clock, instruments=[instrument])
    try:
        scenario.check()
    except AssertionError as broken:
        broken.add_note(f"cancelled at step {at} of {instrument.steps}")
        raise
    return instrument.steps


def crash_at_every_point(make: Callable[[Faults], Scenario], *, limit: int = 1000) -> int:
    """Run a scenario once undisturbed, then once for every point of its ``Faults``, with an exception raised there.

    Returns the number of runs.
    """
    points = _run_faulty(make, Faults())
    if points > limit:
        raise StepLimit(f"the scenario passes {points} points, more than {limit}")
    for point in range(points):
        _run_faulty(make, Faults(point))
    return points + 1


def _run_faulty(make: Callable[[Faults], Scenario], faults: Faults) -> int:
    scenario = make(faults)
    run_with_clock(scenario.run)
    try:
        scenario.check()
    except AssertionError as broken:
        broken.add_note(f"with a fault at point {faults.raise_at}: {faults.passed}")
        raise
    return len(faults.passed)
