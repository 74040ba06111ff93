"""A daemon in trouble: it is killed at any instant while agents start, stop, crash, write and are redefined.

What is done, and in which order, follows from the seed alone. After every step the promises are checked:

- at most one live main process per unit,
- what was answered is still so (state wished for, definition, existence),
- every unit that should run runs within :data:`WITHIN`,

and at the end every line that an agent wrote is in its log, once, and in its place.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from attrs import define, field

from hoody.client.blocking import Client
from hoody.client.discover import HomeFinder
from hoody.daemon.background import start_in_background, stop_in_background
from hoody.daemon.runtime_file import read_holder
from hoody.home import Home, find_home
from supervisor.errors import HoodyError, NotFound
from tests.chaos import program
from tests.chaos.faults import SmallDisk, forge_files, without_descriptors
from tests.chaos.verify import Books, audit_all

WITHIN: Final = 20.0
"""Seconds in which everything is as it should be after a step."""
_UNITS: Final = 8
_FORGED: Final = 0.3
"""In which part of the deaths of the daemon files are forged before the next one starts."""
_LIVE: Final = ("STARTING", "RUNNING", "BACKOFF")


class PromiseBroken(AssertionError):
    """What must never be."""


@define
class Tally:
    """What has happened."""

    daemon_kills: int = 0
    agent_kills: int = 0
    freezes: int = 0
    full_disks: int = 0
    starved: int = 0
    forged: int = 0
    wishes: Counter[str] = field(factory=Counter)
    unanswered: int = 0
    """Wishes whose answer the daemon took to its grave: they may hold or not."""
    units: int = 0
    doubled_processes: int = 0
    lost_wishes: int = 0
    adoption: list[float] = field(factory=list)
    """Seconds from the start of a daemon process until it knows every unit again."""
    books: Books = field(factory=Books)


@define
class Expected:
    """What was answered of a unit; None where the daemon died before it answered."""

    running: bool | None = True
    version: int | None = 0


class Storm:
    """One run. ``folder`` is empty and on a disk of this machine."""

    def __init__(self, folder: Path, *, seed: int) -> None:
        self.tally = Tally()
        self._dice = random.Random(seed)
        self._records = folder / "records"
        self._records.mkdir()
        (folder / "home").mkdir(mode=0o700)
        self._disk = SmallDisk(folder / "home")
        self._environ = {**os.environ, "HOODY_HOME": str(folder / "home")}
        self._home: Home = find_home(self._environ)
        self._expected: dict[str, Expected] = {}
        self._all: list[str] = []
        self._client = Client(finder=HomeFinder(self._home))

    def run(self, kills: int) -> Tally:
        """Go through so many deaths of the daemon. Raises :class:`PromiseBroken`."""
        try:
            self._bring_up()
            for _ in range(_UNITS):
                self._create()
            while self.tally.daemon_kills < kills:
                self._step()
            self._calm_down()
            self.tally.units = len(self._all)
            self.tally.books = audit_all(Path(self._home.logs), self._records, self._all)
        finally:
            self._clean_up()
            self._disk.close()
        if not self.tally.books.balanced:
            raise PromiseBroken(f"the logs are not what was written: {self.tally.books}")
        return self.tally

    # ---- what happens ----

    def _step(self) -> None:
        wish = self._draw_wish()
        fault = self._dice.choices(
            (
                self._kill_during,
                self._kill_agent,
                self._freeze_daemon,
                self._freeze_agent,
                self._fill_disk,
                self._starve,
                self._just,
            ),
            weights=(6, 3, 1, 1, 1, 1, 2),
        )[0]
        fault(wish)
        self._check()

    def _draw_wish(self) -> Callable[[], None]:
        if len(self._expected) < _UNITS:
            return self._create
        name = self._dice.choice(sorted(self._expected))
        verb = self._dice.choices(
            ("start", "stop", "restart", "redefine", "delete", "nothing"), weights=(3, 3, 3, 3, 1, 2)
        )[0]
        wait = self._dice.random() < 0.3
        version = self._dice.randrange(1, 1_000_000)
        return lambda: self._wish(name, verb, version=version, wait=wait)

    def _just(self, wish: Callable[[], None]) -> None:
        wish()

    def _kill_during(self, wish: Callable[[], None]) -> None:
        """Kill the daemon at some instant from right before the wish to long after it."""
        delay = self._dice.choice((0.0, 0.001, 0.003, 0.01, 0.03, 0.1, 0.5)) * self._dice.random() * 2
        thread = threading.Thread(target=wish)
        thread.start()
        time.sleep(delay)
        self._kill_daemon()
        thread.join()
        if self._dice.random() < _FORGED:
            forge_files(self._home, self._dice)
            self.tally.forged += 1
        time.sleep(self._dice.choice((0.0, 0.0, 0.2)) * self._dice.random())
        self._bring_up()

    def _kill_agent(self, wish: Callable[[], None]) -> None:
        pids = [pid for pids in self._live().values() for pid in pids]
        if pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._dice.choice(sorted(pids)), signal.SIGKILL)
                self.tally.agent_kills += 1
        wish()

    def _freeze_daemon(self, wish: Callable[[], None]) -> None:
        pid = self._daemon_pid()
        os.kill(pid, signal.SIGSTOP)
        self.tally.freezes += 1
        thread = threading.Thread(target=wish)
        thread.start()
        time.sleep(0.3 * self._dice.random())
        os.kill(pid, signal.SIGCONT)
        thread.join()

    def _freeze_agent(self, wish: Callable[[], None]) -> None:
        pids = sorted(pid for pids in self._live().values() for pid in pids)
        if not pids:
            return wish()
        pid = self._dice.choice(pids)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)
            self.tally.freezes += 1
        wish()
        time.sleep(0.2 * self._dice.random())
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
        return None

    def _fill_disk(self, wish: Callable[[], None]) -> None:
        if self._disk.mounted:
            with self._disk.full():
                self.tally.full_disks += 1
                wish()
                time.sleep(0.5 * self._dice.random())
        else:
            wish()

    def _starve(self, wish: Callable[[], None]) -> None:
        with without_descriptors(self._daemon_pid()):
            self.tally.starved += 1
            thread = threading.Thread(target=wish)
            thread.start()
            time.sleep(0.5 * self._dice.random())
        thread.join()

    def _kill_daemon(self) -> None:
        pid = self._daemon_pid()
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        self.tally.daemon_kills += 1

    def _bring_up(self) -> None:
        began = time.monotonic()
        start_in_background(environ=self._environ, timeout=30)
        self._until("every unit to be known again", self._is_known)
        self.tally.adoption.append(time.monotonic() - began)

    # ---- wishes ----

    def _create(self) -> None:
        name = f"unit{len(self._all)}"
        self._all.append(name)
        self._expected[name] = expected = Expected()
        self._ask(expected, "create", lambda: self._client.agents.create(name, **self._definition(0)))

    def _wish(self, name: str, verb: str, *, version: int, wait: bool) -> None:
        agents, expected = self._client.agents, self._expected[name]
        match verb:
            case "start" | "restart":
                ask = agents.start if verb == "start" else agents.restart
                self._ask(expected, verb, lambda: ask(name, wait=wait, timeout=5), running=True)
            case "stop":
                self._ask(expected, verb, lambda: agents.stop(name, wait=wait, timeout=5), running=False)
            case "redefine":
                definition = {"name": name, **self._definition(version)}
                self._ask(expected, verb, lambda: agents.replace(name, definition), version=version)
            case "delete":
                del self._expected[name]
                with contextlib.suppress(HoodyError, OSError):
                    agents.delete(name, force=True)
                    self.tally.wishes[verb] += 1
                    return
                self.tally.unanswered += 1
                self._expected[name] = Expected(running=None, version=None)
            case _:
                pass

    def _ask(
        self,
        expected: Expected,
        verb: str,
        ask: Callable[[], object],
        *,
        running: bool | None = None,
        version: int | None = None,
    ) -> None:
        """Note what is expected of an answered wish, and that nothing is of one whose answer never came."""
        try:
            ask()
        except (HoodyError, OSError):
            self.tally.unanswered += 1
            expected.running = None if running is not None or verb == "create" else expected.running
            expected.version = None if version is not None or verb == "create" else expected.version
            return
        self.tally.wishes[verb] += 1
        if running is not None:
            expected.running = running
        if version is not None:
            expected.version = version

    def _definition(self, version: int) -> dict[str, Any]:
        dice = random.Random(f"{version} {len(self._all)}")
        life = dice.choice((0, 0, 0.3, 1.0, 2.0))
        period = dice.choice((0.0005, 0.002, 0.02))
        return {
            "command": [sys.executable, "-S", "-E", program.__file__, str(self._records), str(period), str(life)],
            "environment": {"VERSION": str(version)},
            "backoff": {"initial": "50ms", "max": "300ms"},
            "max_restarts": 100_000,
            "start_seconds": "100ms",
            "stop_timeout": "2s",
            "logs": {"max_size": "64KiB", "backups": 100_000},
        }

    # ---- what must hold ----

    def _check(self) -> None:
        views = {view["name"]: view for view in self._views()}
        for name, expected in list(self._expected.items()):
            self._hold(name, expected, views.get(name))
        self._until("every unit that should run to do so", self._is_settled)

    def _hold(self, name: str, expected: Expected, view: Any) -> None:
        if view is None:
            if expected.version is not None:
                self.tally.lost_wishes += 1
                raise PromiseBroken(f"{name} was created and is gone")
            del self._expected[name]
            return
        running = view["status"]["desired"] == "running"
        if expected.running is None:
            expected.running = running
        elif running != expected.running:
            self.tally.lost_wishes += 1
            raise PromiseBroken(f"{name} should be {'running' if expected.running else 'stopped'}: {view}")
        if expected.version is None:
            expected.version = self._version(name)
        elif self._version(name) != expected.version:
            self.tally.lost_wishes += 1
            raise PromiseBroken(f"{name} has another definition than version {expected.version}")

    def _version(self, name: str) -> int:
        return int(self._client.agents.get(name, reveal=["VERSION"])["spec"]["environment"]["VERSION"])  # type: ignore[typeddict-item]

    def _is_known(self) -> bool:
        return all(view["status"]["state"] != "UNKNOWN" for view in self._views())

    def _is_settled(self) -> bool:
        live = self._live()
        for view in self._views():
            status = view["status"]
            if status["desired"] == "running" and status["state"] not in _LIVE:
                return False
            if status["desired"] == "stopped" and (status["state"] != "STOPPED" or live.get(view["name"])):
                return False
        return True

    def _live(self) -> dict[str, list[int]]:
        """Return the live main processes of each unit, as the kernel has them. Two of one unit end the run."""
        mark = b"HOODY_INSTANCE=" + Path(self._home.instance_file).read_bytes().strip()
        found: dict[str, list[int]] = {}
        for entry in os.scandir("/proc"):
            if not entry.name.isdecimal():
                continue
            with contextlib.suppress(OSError):
                environ = Path(entry.path, "environ").read_bytes().split(b"\0")
                if mark in environ:
                    unit = next(each for each in environ if each.startswith(b"HOODY_UNIT="))[11:].decode()
                    found.setdefault(unit, []).append(int(entry.name))
        for unit, pids in found.items():
            if len(pids) > 1:
                self.tally.doubled_processes += 1
                raise PromiseBroken(f"{unit} has the processes {pids}")
        return found

    def _views(self) -> list[Any]:
        return list(self._client.agents.list())

    def _until(self, what: str, look: Callable[[], bool]) -> None:
        deadline = time.monotonic() + WITHIN
        while not look():
            if time.monotonic() > deadline:
                states = {view["name"]: (view["status"]["desired"], view["status"]["state"]) for view in self._views()}
                raise PromiseBroken(f"waited {WITHIN:.0f} s in vain for {what}: {states}")
            time.sleep(0.02)

    # ---- the end ----

    def _calm_down(self) -> None:
        for name in sorted(self._expected):
            with contextlib.suppress(NotFound):
                self._client.agents.stop(name, wait=True, timeout=30)
        stop_in_background(timeout=60, environ=self._environ)

    def _clean_up(self) -> None:
        holder = read_holder(self._home.lock_file)
        if holder is not None and holder.alive:
            with contextlib.suppress(HoodyError):
                stop_in_background(timeout=30, environ=self._environ)

    def _daemon_pid(self) -> int:
        holder = read_holder(self._home.lock_file)
        if holder is None or not holder.alive:
            raise PromiseBroken("the daemon has died by itself")
        return holder.pid
