"""A unit and its logs: they begin with it, are kept as it says, and are let go of when it is gone."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator

import pytest
import trio
from attrs import define, evolve, field

from supervisor.units.log_settings import LogSettings
from supervisor.units.quantities import Size
from supervisor.units.services import UnitServices
from supervisor.units.spec import AgentSpec
from supervisor.units.testing import FakeDriver, Shelf, Units, running_units

SMALL = LogSettings(max_size=Size(4096), backups=1)


@define
class Recorder:
    """Keeps no logs, and remembers what it was asked for."""

    asked: list[tuple[str, str]] = field(factory=list)
    settings: dict[str, LogSettings] = field(factory=dict)
    broken: bool = False

    def configure(self, unit: str, settings: LogSettings) -> None:
        self.asked.append(("configure", unit))
        self.settings[unit] = settings

    async def forget(self, unit: str) -> None:
        await self._note("forget", unit)

    async def erase(self, unit: str) -> None:
        await self._note("erase", unit)

    async def _note(self, what: str, unit: str) -> None:
        await trio.lowlevel.checkpoint()
        self.asked.append((what, unit))
        if self.broken:
            raise OSError("the disk is on fire")


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def services(driver: FakeDriver, recorder: Recorder) -> UnitServices:
    return UnitServices(driver=driver, logs=recorder)


@pytest.fixture
async def units(services: UnitServices) -> AsyncIterator[Units]:
    async with running_units(services) as found:
        yield found


async def test_the_logs_of_a_new_unit_begin_with_it_and_are_kept_as_it_says(units: Units, recorder: Recorder) -> None:
    await units.create("web", AgentSpec(command=("web",), logs=SMALL))

    assert recorder.asked == [("erase", "web"), ("configure", "web")]
    assert recorder.settings == {"web": SMALL}


async def test_other_log_settings_hold_at_once_and_restart_nothing(
    units: Units, recorder: Recorder, driver: FakeDriver
) -> None:
    await units.create("web")
    await trio.sleep(5)
    before = driver.only("web")

    view = await units.replace("web", AgentSpec(command=("web",), logs=SMALL))

    assert recorder.settings == {"web": SMALL}
    assert (view.revision, driver.only("web")) == (2, before)


async def test_a_deleted_unit_is_forgotten_and_its_log_files_stay(units: Units, recorder: Recorder) -> None:
    await units.create("web", start=False)

    await units.delete("web")

    assert recorder.asked[-1] == ("forget", "web")


async def test_the_next_daemon_goes_on_with_the_logs(services: UnitServices, recorder: Recorder) -> None:
    shelf = Shelf()
    async with running_units(services, shelf) as units:
        await units.create("web", AgentSpec(command=("web",), logs=SMALL))
    recorder.asked.clear()
    recorder.settings.clear()

    async with running_units(evolve(services, roster=type(services.roster)(services.kind)), shelf):
        assert recorder.asked == [("configure", "web")]
        assert recorder.settings == {"web": SMALL}


async def test_logs_that_cannot_be_deleted_keep_no_unit_from_being_made_or_removed(
    units: Units, recorder: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    recorder.broken = True

    with caplog.at_level(logging.WARNING):
        await units.create("web", start=False)
        await units.delete("web")

    assert [record.getMessage() for record in caplog.records] == [
        "the logs of an earlier 'web' cannot be deleted: the disk is on fire",
        "the output of 'web', which is gone, cannot be closed: the disk is on fire",
    ]
