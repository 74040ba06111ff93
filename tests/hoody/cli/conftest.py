"""The command line as its users run it: as a program, in a home of its own, with or without a daemon."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from hoody import Client
from hoody.client.discover import HomeFinder
from hoody.home import find_home

ROOT = Path(__file__).resolve().parents[3]

EVENT_LOOPS = {"trio", "anyio", "sniffio", "asyncio"}
SERVERS = {"quart", "quart_trio", "hypercorn", "h11", "click"}
LIBRARIES = {"cattrs", "attr", "attrs", "docker", "psutil", "rich", "httpx"}
SLOW_STANDARD_MODULES = {"http.client", "urllib.request", "importlib.metadata", "pathlib", "shutil", "tempfile"}
SLOW_STANDARD_MODULES |= {"subprocess", "ssl", "email", "sqlite3", "logging", "dataclasses"}
HEAVY = EVENT_LOOPS | SERVERS | LIBRARIES | SLOW_STANDARD_MODULES


class Shell:
    """Runs ``hoody`` with one home."""

    def __init__(self, home: Path, bytecode: Path) -> None:
        self.home = home
        unwanted = {"NO_COLOR", "PYTHONDONTWRITEBYTECODE"}
        self.environment = {
            **{key: value for key, value in os.environ.items() if key not in unwanted and not key.startswith("HOODY_")},
            "HOODY_HOME": str(home),
            "PYTHONPATH": str(ROOT),
            "PYTHONPYCACHEPREFIX": str(bytecode),
            "TERM": "xterm",
        }
        self.program = [sys.executable, "-m", "hoody"]

    def __call__(
        self, *words: str, expect: int | None = 0, stdin: str = "", **variables: str
    ) -> subprocess.CompletedProcess[str]:
        result = subprocess.run(
            [*self.program, *words],
            env={**self.environment, **variables},
            cwd=self.home,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert "Traceback" not in result.stderr, result.stderr
        if expect is not None:
            assert result.returncode == expect, f"hoody {' '.join(words)}:\n{result.stdout}\n{result.stderr}"
        return result

    @property
    def client(self) -> Client:
        """The client of this home: for what a test needs and is not about, without a process for each step."""
        return Client(finder=HomeFinder(find_home(self.environment)))

    def forget(self, *names: str) -> None:
        """Remove what is left of these agents, or of those that begin like that (``web*``)."""
        for unit in self.client.agents.list():
            if any(fnmatchcase(unit["name"], name) for name in names):
                self.client.agents.delete(unit["name"], force=True)

    def json(self, *words: str) -> Any:
        return json.loads(self(*words, "--json").stdout)

    def begin(self, *words: str, **settings: Any) -> subprocess.Popen[bytes]:
        """Start a command and do not wait for it."""
        return subprocess.Popen([*self.program, *words], env=self.environment, cwd=self.home, **settings)

    def on_terminal(self, *words: str, typed: str = "", columns: int = 80, **variables: str) -> tuple[int, str]:
        """Run a command on a terminal of its own; return its exit code and everything that the terminal showed."""
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            [*self.program, *words],
            env={**self.environment, "COLUMNS": str(columns), **variables},
            cwd=self.home,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        os.write(ours, typed.encode())
        shown, deadline = b"", time.monotonic() + 60
        while time.monotonic() < deadline:
            if not select.select([ours], [], [], 1)[0]:
                continue
            try:
                shown += os.read(ours, 65536)
            except OSError:  # the last process has closed the terminal
                break
        os.close(ours)
        return process.wait(10), shown.decode().replace("\r\n", "\n")


@pytest.fixture(scope="session")
def bytecode(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where compiled modules are kept between the commands, as they are after an installation."""
    return tmp_path_factory.mktemp("bytecode")


@pytest.fixture
def shell(tmp_path: Path, bytecode: Path) -> Shell:
    """A home without a daemon."""
    return Shell(tmp_path, bytecode)


@pytest.fixture(scope="module")
def hoody(tmp_path_factory: pytest.TempPathFactory, bytecode: Path) -> Iterator[Shell]:
    """A home with a running daemon, shared by the tests of a module: each uses names of its own."""
    found = Shell(tmp_path_factory.mktemp("home"), bytecode)
    found("up")
    yield found
    found("down")


@pytest.fixture
def heavy() -> set[str]:
    """What a command that asks once and prints must not import."""
    return HEAVY
