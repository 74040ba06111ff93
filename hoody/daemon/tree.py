"""Put the floors together: which parts the daemon has, and in which tree they run.

    hoody (rest for one)
    +- base (one for one)
    |  +- store        the state on disk
    |  +- events       numbers what happens and writes it down
    |  +- logs         moves what units write into their log files
    |  +- processes    learns of the ends of processes
    |  +- groups       supervises agents together; it is there before they are, so that they start in their order
    |  +- reclaim      finds what an earlier daemon left behind, once, then ends
    +- agents (rest for one)
    |  +- agents-units a keeper for each agent, side by side
    |  +- agents       the directory: names, definitions, health
    +- departing       when the daemon takes its units along, ends those first that depend on others
    +- http            the API; stops before what it talks to
    +- address         says where the API is, while it serves

Every part keeps what must outlive it in an object that is made here, once, so a part that crashes is restarted alone:
the units and the API do not notice that the store was away for a moment. Only the keepers and their directory go
together: a directory without its keepers would know no unit.

The base is a child of its own because a tree stops its children in the reverse of the order in which they were started,
restarts included: a part of the base that was restarted must not be stopped before the units, which need it to the end.
Where the base as a whole has failed, what stands on it is started again after it, and takes up the processes.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import trio
from attrs import frozen

from api.listening import Listening
from api.server import SHUTDOWN as HTTP_SHUTDOWN
from api.server import HttpService
from hoody.daemon.address import Address
from hoody.daemon.config import DaemonConfig
from hoody.daemon.control import Control
from hoody.daemon.reclaim import Reclaim
from hoody.home import Home
from supervisor.agents.host import Host
from supervisor.agents.inputs import InputPipes
from supervisor.agents.meter import ProcessMeter
from supervisor.agents.permits import AgentPermits
from supervisor.agents.probing import AgentInstruments
from supervisor.agents.process import ProcessDriver
from supervisor.agents.provision import AgentProvision
from supervisor.agents.sampling import Sampler
from supervisor.events import DaemonStarted, DaemonStopping, EventLog
from supervisor.groups.actor import groups_child
from supervisor.groups.table import GroupWatch
from supervisor.health import HealthWatch
from supervisor.logs import Holder, LogReader, LogStore
from supervisor.logs.listening import Listener
from supervisor.runtime import (
    ChildSpec,
    RestartPolicy,
    RestartType,
    Shutdown,
    Strategy,
    supervisor,
)
from supervisor.store.actor import store_child
from supervisor.store.database import Database
from supervisor.store.health import StoreReport
from supervisor.units.departing import Departing
from supervisor.units.directory import unit_children
from supervisor.units.services import UnitServices

EVENTS_STOP: Final = 10.0
"""Seconds for the events to be written that happened last."""
LOGS_STOP: Final = 10.0
"""Seconds for the logs to take in what was written last."""
ONCE: Final = RestartPolicy(restart=RestartType.TEMPORARY)


def utc_now() -> datetime:
    """Return the time for stamps that people read."""
    return datetime.now(UTC)


@frozen(kw_only=True)
class Parts:
    """What outlives the incarnations of the tree's children. Made once per daemon."""

    home: Home
    control: Control
    driver: ProcessDriver
    logs: LogStore
    listening: Listening
    units: UnitServices
    events: EventLog
    groups: GroupWatch
    store: StoreReport
    meter: ProcessMeter
    inputs: InputPipes
    health: HealthWatch
    """To be attached to the telemetry of the system that the tree runs in."""

    def close(self) -> None:
        """Give back what the parts hold. What runs is not touched."""
        self.driver.close()
        self.logs.close(for_good=self.control.departure.take_units)
        self.listening.close()


def make_parts(
    home: Home,
    config: DaemonConfig,
    control: Control,
    host: Host,
    listening: Listening,
    *,
    lost_lines: Callable[[], int] = int,
) -> Parts:
    """Make the parts of the daemon of ``home``. Nothing is started yet.

    ``lost_lines`` counts the lines that the daemon's own log has lost.
    """
    fifos = Path(home.fifos)
    logs = LogStore(Path(home.logs), fifos, config.log_settings, holder=Holder(fifos))
    inputs = InputPipes(Path(home.inputs))
    driver = ProcessDriver(instance=control.instance, output=logs, host=host, inputs=inputs)
    units = UnitServices(
        driver=driver,
        departure=control.departure,
        starts=trio.CapacityLimiter(config.starts_at_once),
        wall=utc_now,
        permits=AgentPermits(driver.groups),
        instruments=AgentInstruments(driver, Listener(logs), Sampler(control.instance)),
        logs=logs,
        provision=AgentProvision(),
    )
    events = EventLog(wall=utc_now)
    events.watch(units.roster)
    events.tell(DaemonStarted(version=control.version, pid=os.getpid(), instance=control.instance))
    control.at_stop(lambda leave_units: events.tell(DaemonStopping(leave_units=leave_units)))
    store = StoreReport()
    return Parts(
        home=home,
        control=control,
        driver=driver,
        logs=logs,
        listening=listening,
        units=units,
        events=events,
        groups=GroupWatch(units),
        store=store,
        meter=ProcessMeter(control.instance),
        inputs=inputs,
        health=HealthWatch(store, logs=logs.health, lost_lines=lost_lines),
    )


def make_tree(parts: Parts, *, up: Callable[[], None]) -> ChildSpec:
    """Describe the whole tree. ``up`` is called once the daemon serves its API and its address is published."""
    listening = parts.listening
    address = Address(parts.home.daemon_file, port=listening.port, url=listening.url, control=parts.control, up=up)
    database = Path(parts.home.database)
    base = supervisor(
        "base",
        children=[
            store_child(lambda: Database(database, now=utc_now), parts.store),
            ChildSpec("events", parts.events.serve, shutdown=Shutdown.within(EVENTS_STOP)),
            ChildSpec("logs", parts.logs.serve, shutdown=Shutdown.within(LOGS_STOP)),
            ChildSpec("processes", parts.driver.serve),
            groups_child(parts.groups),
            ChildSpec("reclaim", Reclaim(parts.driver, wall=utc_now), restart=ONCE),
        ],
    )
    agents = supervisor("agents", strategy=Strategy.REST_FOR_ONE, children=unit_children(parts.units))
    return supervisor(
        "hoody",
        strategy=Strategy.REST_FOR_ONE,
        children=[
            base,
            agents,
            ChildSpec("departing", Departing(parts.units, chains=parts.groups.chains), shutdown=Shutdown.unlimited()),
            ChildSpec(
                "http",
                HttpService(
                    parts.control,
                    parts.listening,
                    logs=LogReader(parts.logs.logs, parts.logs),
                    health=parts.health,
                    meter=parts.meter,
                    inputs=parts.inputs,
                    events=parts.events,
                ),
                shutdown=Shutdown.within(HTTP_SHUTDOWN),
            ),
            ChildSpec("address", address),
        ],
    )
