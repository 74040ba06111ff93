"""Writes of several keepers that reach the disk in one transaction, or not at all.

Each keeper brings the record that it is to have, and waits; the one who gathers them writes all records at once and
tells everybody how it went. Until then every keeper holds further wishes back, so nothing comes in between.
"""

from __future__ import annotations

from collections.abc import Iterable

import trio
from attrs import define, field

from supervisor.errors import HoodyError, Unavailable
from supervisor.store.messages import UnitRecord


@define(eq=False)
class Together:
    """One gathering. ``patience`` bounds how long a keeper waits for its outcome."""

    patience: float
    records: dict[str, UnitRecord] = field(factory=dict)
    """What is to be written, by name."""
    before: dict[str, UnitRecord] = field(factory=dict)
    """What is there already under those names."""
    _expected: set[str] = field(factory=set)
    _complete: trio.Event = field(factory=trio.Event)
    _settled: trio.Event = field(factory=trio.Event)
    _error: HoodyError | None = None
    _being_written: bool = False
    _on_disk: bool = False

    def expect(self, names: Iterable[str]) -> None:
        """Say who takes part; before anybody joins."""
        self._expected.update(names)
        self._look()

    async def join(self, before: UnitRecord, record: UnitRecord) -> None:
        """Bring a record, and wait until it is on disk. Raises what has kept it from there."""
        name = record.name
        self.before[name], self.records[name] = before, record
        self.pass_over(name)
        try:
            with trio.fail_after(self.patience):
                await self._settled.wait()
        except trio.TooSlowError:
            self.fail(Unavailable("the others took too long"))
        except trio.Cancelled:
            # Its keeper ends: the record must not be written behind the back of the next one.
            self.fail(Unavailable(f"the keeper of {name!r} is being replaced", hint="try again in a moment"))
            raise
        if self._error is not None:
            raise self._error

    def pass_over(self, name: str) -> None:
        """Go on without waiting for ``name``: it has joined, or has nothing to write."""
        self._expected.discard(name)
        self._look()

    async def complete(self) -> None:
        """Wait until everybody has joined. Raises the error with which one of them has refused."""
        await self._complete.wait()
        if self._error is not None:
            raise self._error

    def begin_to_write(self) -> None:
        """From here on, whoever leaves does not stop it: what is asked of the store comes before what they ask next."""
        self._being_written = True

    def written(self) -> None:
        """Note that the records are on disk."""
        self._on_disk = True

    @property
    def on_disk(self) -> bool:
        """Whether the records are on disk, and not taken back."""
        return self._on_disk

    def taken_back(self) -> None:
        """Note that what was there before is on disk again."""
        self._on_disk = False

    def conclude(self, failure: HoodyError | None) -> None:
        """Tell everybody how it went: what is on disk when whoever gathers is cut off holds, and nothing else."""
        if failure is None and self._on_disk:
            self._settled.set()
        else:
            self._give_up(failure or Unavailable("the apply was cut off", hint="try again in a moment"))

    def fail(self, error: HoodyError) -> None:
        """Tell everybody that nothing was written. Only the first outcome counts, and none once it is being written."""
        if self._settled.is_set() or self._error is not None or self._being_written:
            return
        self._give_up(error)

    def _give_up(self, error: HoodyError) -> None:
        if self._settled.is_set():
            return
        self._error = self._error or error
        self._complete.set()
        self._settled.set()

    def _look(self) -> None:
        if not self._expected:
            self._complete.set()
