"""The first minute with the product: three agents, one of them killed before the user's eyes, and back again.

Runs in a home of its own and takes everything away again, unless it is told to keep it.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from hoody.cli.details import exit_words
from hoody.cli.output import moment, print_units
from hoody.client import Client
from hoody.client.calls import UnitCalls
from hoody.daemon.background import Up, start_in_background, stop_in_background
from supervisor.errors import HoodyError, TimedOut

if TYPE_CHECKING:
    from hoody.client.types import Unit

T = TypeVar("T")

WEB, TICKER, WORKER = "demo-web", "demo-ticker", "demo-worker"
_PATIENCE: Final = 15.0
_PAUSE: Final = 0.002
_WORKER: Final = """\
import itertools, time
for number in itertools.count(1):
    print("job", number, "done:", sum(range(number * 1000)), flush=True)
    time.sleep(1)
"""

Say = Callable[[str], None]


class Story:
    """What the demo does, step by step; ``say`` shows it to the user."""

    def __init__(self, client: Client, say: Say) -> None:
        self._client = client
        self._say = say

    def start_agents(self, site: Path, port: int) -> None:
        """Define and start the three agents, and wait until they run."""
        web = [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1"]
        ticker = "while true; do date; sleep 1; done"
        self._run(WEB, web, str(site))
        self._run(TICKER, ["/bin/sh", "-c", ticker], str(site))
        self._run(WORKER, [sys.executable, "worker.py"], str(site))
        print_units(self._ours(), "table")

    def kill(self, port: int) -> None:
        """Kill the web server as nobody could catch it, and tell how long it was away."""
        url = f"http://127.0.0.1:{port}/"
        _eventually(lambda: _answers(url), f"{url} to answer")
        before = self._client.agents.get(WEB)["status"]
        pid = before["pid"]
        if pid is None:
            raise TimedOut(f"{WEB} has no process to kill: {before['reason']}")
        self._say(f"\n$ kill -9 {pid}        # {WEB}, serving {url}")
        killed_at, began = datetime.now(UTC), time.monotonic()
        os.kill(pid, signal.SIGKILL)
        after = _eventually(lambda: self._other_than(pid), f"{WEB} to come back")
        _eventually(lambda: _answers(url), f"{url} to answer again")
        answered = time.monotonic() - began
        self._tell(after, pid, killed_at, answered)
        self._client.send(UnitCalls("agents").verb(WEB, "start", wait=True, timeout=_PATIENCE))

    def show_state(self) -> None:
        """Print the list, the tree and the health."""
        from hoody.cli.entry import run

        for words in (["ps"], ["tree"], ["health"]):
            self._say(f"\n$ hoody {' '.join(words)}")
            run(words)

    def _run(self, name: str, command: list[str], directory: str) -> None:
        with suppress(HoodyError):  # left over from a demo that was cut off
            self._client.agents.delete(name, force=True)
        self._client.agents.create(name, command, start=False, directory=directory, start_seconds="200ms")
        self._client.agents.start(name, wait=True, timeout=_PATIENCE)

    def _ours(self) -> list[Unit]:
        return [unit for unit in self._client.agents.list() if unit["name"] in {WEB, TICKER, WORKER}]

    def _other_than(self, pid: int) -> Unit | None:
        unit = self._client.agents.get(WEB)
        return unit if unit["status"]["pid"] not in {None, pid} else None

    def _tell(self, after: Unit, pid: int, killed_at: datetime, answered: float) -> None:
        status = after["status"]
        started = moment(status["started_at"])
        if started is not None:
            away = (started - killed_at).total_seconds() * 1000
            self._say(f"{WEB}: pid {pid} is gone, pid {status['pid']} runs. Killed to started again: {away:.1f} ms.")
        self._say(f"It answers HTTP again {answered * 1000:.0f} ms after the kill (the rest is Python starting up).")
        if status["exit"]:
            self._say(f"Last exit: {exit_words(status['exit'])}")


def demo(home: str | None, *, keep: bool, say: Say) -> None:
    """Tell the whole story in ``home``, or in a throw-away home; ``keep`` leaves everything running.

    Whatever happens on the way, what was started is taken away again, unless it is to be kept. A daemon that ran
    before goes on, without the agents of the demo.
    """
    folder = Path(home or tempfile.mkdtemp(prefix="hoody-demo-")).absolute()
    os.environ["HOODY_HOME"] = str(folder)
    for elsewhere in ("HOODY_URL", "HOODY_TOKEN"):
        os.environ.pop(elsewhere, None)
    up: Up | None = None
    kept = False
    try:
        up = start_in_background()
        state = "runs already" if up.already else "is up"
        say(f"The daemon {state}: {up.daemon.url}, pid {up.daemon.pid}, home {folder}\n")
        story = Story(Client(), say)
        site, port = _site(folder), _free_port()
        story.start_agents(site, port)
        story.kill(port)
        story.show_state()
        kept = keep
    finally:
        if not kept:
            _take_away(folder, up, throw_away=home is None)
    say(_farewell(folder, home, kept=kept))


def _take_away(folder: Path, up: Up | None, *, throw_away: bool) -> None:
    """Remove what the demo has made; ``up`` is None where it was cut off while the daemon was being started."""
    if throw_away:
        stop_in_background()
        shutil.rmtree(folder)
    elif up is not None:
        remove_agents(Client())
        if not up.already:
            stop_in_background()


def remove_agents(client: Client) -> None:
    """Take the three agents away again, as far as they are there."""
    calls = UnitCalls("agents")
    client.send_all(
        [calls.delete(name, force=True, revision=None, timeout=_PATIENCE) for name in (WEB, TICKER, WORKER)]
    )


def _site(folder: Path) -> Path:
    site = folder / "demo-site"
    site.mkdir(exist_ok=True)
    (site / "index.html").write_text("<h1>kept alive by hoody</h1>\n")
    (site / "worker.py").write_text(_WORKER)
    return site


def _farewell(folder: Path, home: str | None, *, kept: bool) -> str:
    if not kept:
        gone = "Everything that the demo started is stopped and removed."
        return f"""
{gone}
To play with it yourself:    hoody demo --keep
To start for good:           hoody up && hoody run --name web -- python3 -m http.server 8000"""
    lines = [
        "",
        "It all goes on. To play with it:",
        f"    export HOODY_HOME={folder}",
        f"    hoody ps; hoody logs {TICKER}; hoody inspect {WEB}",
        "To clean up:",
        f"    hoody rm 'demo-*' --force --yes; hoody down{'' if home else f'; rm -r {folder}'}",
    ]
    return "\n".join(lines)


def _eventually(look: Callable[[], T | None], what: str) -> T:
    deadline = time.monotonic() + _PATIENCE
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > deadline:
            raise TimedOut(f"waited {_PATIENCE:g} s in vain for {what}")
        time.sleep(_PAUSE)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1) as answer:  # noqa: S310 - our own web server, by http
            return bool(answer.status == 200)
    except OSError:
        return False


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])
