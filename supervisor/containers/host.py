"""Everything that a daemon needs to supervise containers, put together."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from attrs import frozen

from supervisor.agents.environment import add_environment_file
from supervisor.containers.addresses import EngineAddress
from supervisor.containers.bookmarks import Bookmarks
from supervisor.containers.driver import ContainerDriver
from supervisor.containers.engine import Engine, find_engine
from supervisor.containers.live import Table
from supervisor.containers.output import Keeper, Readers
from supervisor.containers.spec import ContainerSpec
from supervisor.containers.watch import Watch
from supervisor.runtime import ChildSpec


@frozen(kw_only=True)
class ContainerHost:
    """The parts that outlive the service. Made once per daemon; nothing is contacted before the first container."""

    engine: Engine
    driver: ContainerDriver
    watch: Watch

    def child(self, name: str = "engine") -> ChildSpec:
        """Describe the service that listens to the engine: it belongs before the units that use the driver."""
        return ChildSpec(name, self.watch.serve)

    def close(self) -> None:
        """Give back what the parts hold. What runs is not touched."""
        self.engine.close()


def make_host(
    *,
    instance: str,
    keeper: Keeper,
    bookmarks: Path,
    home: Path,
    find: Callable[[], EngineAddress] = find_engine,
) -> ContainerHost:
    """Put a host together. ``bookmarks`` is a folder of its own; relative environment files count from ``home``."""
    engine = Engine(find)
    table = Table(engine)
    driver = ContainerDriver(
        engine=engine,
        table=table,
        readers=Readers(engine, keeper, Bookmarks(bookmarks)),
        instance=instance,
        environment=lambda spec: container_environment(spec, home),
    )
    return ContainerHost(engine=engine, driver=driver, watch=Watch(engine, table))


def container_environment(spec: ContainerSpec, home: Path) -> dict[str, str]:
    """Return the variables that a definition gives its container; later sources win: files in order, definition.

    Blocks. Raises ``SpawnFailed`` where a file cannot be read.
    """
    environment: dict[str, str] = {}
    for name in spec.environment_files:
        add_environment_file(environment, home / Path(name).expanduser())
    return environment | dict(spec.environment)
