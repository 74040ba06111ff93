"""The driver as a child of the tree."""

from __future__ import annotations

import signal
from pathlib import Path

import trio

from supervisor.agents.host import Host
from supervisor.agents.output import Discard
from supervisor.agents.process import ProcessDriver
from supervisor.runtime import ChildSpec, Shutdown, Strategy, System, run, supervisor
from supervisor.units.driver import ExitStatus, Launch
from supervisor.units.spec import AgentSpec
from tests.supervisor.agents.world import reap_all
from tests.supervisor.contract import Ends


def tree(driver: ProcessDriver) -> ChildSpec:
    child = ChildSpec("processes", driver.serve, shutdown=Shutdown.within(1))
    return supervisor("root", strategy=Strategy.ONE_FOR_ONE, children=(child,))


async def test_a_crash_of_the_service_harms_no_process_and_loses_no_end(tmp_path: Path) -> None:
    driver = ProcessDriver(instance="service-test", output=Discard(), host=Host.as_it_is(), home=str(tmp_path))
    system = System()
    kept = Ends()

    def crash(_: ExitStatus) -> None:
        raise ValueError("a defect of whoever is told")

    async with trio.open_nursery() as nursery:
        await nursery.start(lambda task_status: run(tree(driver), system=system, task_status=task_status))
        survivor = await driver.spawn(launch("survivor", "sleep 1000"), kept)
        await driver.spawn(launch("victim", "true"), crash)
        with trio.fail_after(30):
            while system.tree().children[0].restarts == 0:  # noqa: ASYNC110 - the tree has no event for it
                await trio.sleep(0.002)

        survivor.signal(signal.SIGTERM)
        with trio.fail_after(30):
            await kept.came.wait()
        system.shutdown("the test is over")

    assert [ExitStatus(signal=signal.SIGTERM)] == kept.seen
    driver.close()
    reap_all()


def launch(unit: str, command: str) -> Launch[AgentSpec]:
    return Launch(unit=unit, incarnation=1, spec=AgentSpec(command=command))
