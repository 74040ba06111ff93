"""A real driver and real programs that behave in known ways, for the tests of this folder."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil
import trio

from supervisor.agents.host import Host
from supervisor.agents.inputs import InputPipes
from supervisor.agents.output import Discard, Output
from supervisor.agents.process import ProcessDriver
from supervisor.units.driver import ExitStatus, Incarnation, Launch
from supervisor.units.spec import AgentSpec
from tests.supervisor.contract import DriverWorld, Ends

PYTHON = sys.executable


class ProcessWorld(DriverWorld):
    """Real processes. Each program tells that it is ready by making a file with its pid as the name."""

    quiet = 0.03

    def __init__(self, driver: ProcessDriver, folder: Path) -> None:
        self.driver: ProcessDriver = driver
        self.folder = folder
        self.ready = folder / "ready"
        self.ready.mkdir(exist_ok=True)

    def shell(self, script: str, **settings: Any) -> AgentSpec:
        """Return a spec of a script; ``$READY`` in it makes the file that tells that it is ready."""
        marked = script.replace("$READY", f': > "{self.ready}/$$"')
        return AgentSpec(command=("/bin/sh", "-c", marked), directory=str(self.folder), **settings)

    def python(self, program: str, **settings: Any) -> AgentSpec:
        """Return a spec of a Python program; ``ready()`` in it tells that it is ready, ``os`` etc. are imported."""
        head = "import os, signal, subprocess, sys, time, resource\n"
        head += f"def ready(pid=None): open(f'{self.ready}/{{pid or os.getpid()}}', 'w').close()\n"
        return AgentSpec(command=(PYTHON, "-S", "-c", head + program), directory=str(self.folder), **settings)

    def steady(self) -> AgentSpec:
        return self.shell("$READY; exec sleep 1000")

    def stubborn(self) -> AgentSpec:
        return self.shell("trap '' TERM; $READY; exec sleep 1000")

    def exits(self, code: int) -> AgentSpec:
        return self.shell(f"$READY; exit {code}")

    def leaves_helpers(self) -> AgentSpec:
        return self.shell("sleep 1000 & sleep 1000 & $READY; exec sleep 1000")

    def missing(self) -> AgentSpec:
        return AgentSpec(command=("hoody-no-such-program",), directory=str(self.folder))

    def helpers(self, incarnation: Incarnation) -> set[int]:
        return self.helpers_of(incarnation.identity.pid)

    def helpers_of(self, pid: int) -> set[int]:
        """Return the others of the session that ``pid`` leads."""
        return session(pid) - {pid}

    def alive(self, pid: int) -> bool:
        with suppress(psutil.NoSuchProcess):
            return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
        return False

    def running(self, unit: str) -> set[int]:
        found = set()
        for process in psutil.process_iter():
            with suppress(psutil.Error, ProcessLookupError):
                environment = process.environ()
                ours = environment.get("HOODY_INSTANCE") == self.driver.instance
                if ours and environment["HOODY_UNIT"] == unit and os.getsid(process.pid) == process.pid:
                    found.add(process.pid)
        return found

    async def settled(self, incarnation: Incarnation) -> None:
        await self.until((self.ready / str(incarnation.identity.pid)).exists)

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait for something that another process does and nobody announces."""
        with trio.fail_after(self.patience):
            while not condition():  # noqa: ASYNC110 - another process makes it true
                await trio.sleep(0.002)

    async def run(self, spec: AgentSpec, unit: str = "web") -> ExitStatus:
        """Start a program, wait for its end and return it."""
        ends = Ends()
        await self.driver.spawn(Launch(unit=unit, incarnation=1, spec=spec), ends)
        with trio.fail_after(self.patience):
            await ends.came.wait()
        return ends.seen[0]

    async def told(self, script: str, **settings: Any) -> str:
        """Run a script to its end and return what it has written to its third descriptor, the file ``told``."""
        assert await self.run(self.shell(f"exec 3>told; {script}", **settings)) == ExitStatus(code=0)
        return (self.folder / "told").read_text(encoding="utf-8")


def session(leader: int) -> set[int]:
    """Return the live pids of a session."""
    found = set()
    for pid in psutil.pids():
        with suppress(psutil.NoSuchProcess, ProcessLookupError):
            if os.getsid(pid) == leader and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                found.add(pid)
    return found


@asynccontextmanager
async def process_world(
    folder: Path, *, host: Host | None = None, output: Output | None = None
) -> AsyncIterator[ProcessWorld]:
    """Run a driver for the length of the block, and leave none of its processes behind."""
    driver = ProcessDriver(
        instance=f"test-{uuid4()}",
        output=output or Discard(),
        host=host or Host.as_it_is(),
        home=str(folder),
        inputs=InputPipes(folder / "inputs"),
    )
    try:
        async with trio.open_nursery() as nursery:
            await nursery.start(driver.run)
            yield ProcessWorld(driver, folder)
            for stray in await driver.find_strays():
                with suppress(ProcessLookupError):
                    os.kill(stray.identity.pid, signal.SIGKILL)
            nursery.cancel_scope.cancel(reason="the test is over")
    finally:
        driver.close()
        reap_all()


def reap_all() -> None:
    """Reap what is left, so that no test sees the zombies of another."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
