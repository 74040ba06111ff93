"""Containers as units: the same machine, policies and tree as for agents, with a container engine behind them.

``make_host`` puts the parts together: a driver for the units, and the service that listens to the engine.
"""

from supervisor.containers.commands import Execution, executing, write_input
from supervisor.containers.driver import ContainerDriver
from supervisor.containers.files import reading_files, write_files
from supervisor.containers.host import ContainerHost, make_host
from supervisor.containers.images import PullProgress, pulling
from supervisor.containers.ownership import OwnedContainer, Owner, all_containers, prune, take_over
from supervisor.containers.spec import ContainerDefinition, ContainerLimits, ContainerSpec, Healthcheck, PullPolicy
from supervisor.containers.stats import ContainerStats, measuring
from supervisor.containers.watch import EngineStatus, Watch

__all__ = [
    "ContainerDefinition",
    "ContainerDriver",
    "ContainerHost",
    "ContainerLimits",
    "ContainerSpec",
    "ContainerStats",
    "EngineStatus",
    "Execution",
    "Healthcheck",
    "OwnedContainer",
    "Owner",
    "PullPolicy",
    "PullProgress",
    "Watch",
    "all_containers",
    "executing",
    "make_host",
    "measuring",
    "prune",
    "pulling",
    "reading_files",
    "take_over",
    "write_files",
    "write_input",
]
