"""A real daemon in a home of its own, driven as a user drives it: by the command line and by HTTP."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 30.0
"""How long a test waits for something that normally takes milliseconds, on a machine that may be busy."""

T = TypeVar("T")


def eventually(what: str, look: Callable[[], T | None], *, within: float = PATIENCE) -> T:
    """Return the first true value of ``look``; fail the test, naming ``what``, when none comes in time."""
    deadline = time.monotonic() + within
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > deadline:
            pytest.fail(f"waited {within:.0f} s in vain for: {what}")
        time.sleep(0.02)


def fetch(url: str, data: bytes | None = None, headers: dict[str, str] | None = None) -> str | None:
    """Return a page, or None while nobody answers."""
    request = urllib.request.Request(url, data=data, headers=headers or {})
    try:
        with urllib.request.urlopen(request, timeout=2) as answer:
            return str(answer.read().decode())
    except OSError:
        return None


class Daemon:
    """One home, the daemon in it, and the two ways to talk to it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("HOODY_")},
            "HOODY_HOME": str(home),
            "PYTHONPATH": str(ROOT),
            "NO_COLOR": "1",
        }

    def hoody(self, *words: str, expect: int | None = 0, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        """Run one command; ``expect`` is the exit code that the test relies on (None: any)."""
        result = subprocess.run(
            [sys.executable, "-m", "hoody", *words],
            env=self.environment,
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
        )
        if expect is not None:
            assert result.returncode == expect, f"hoody {' '.join(words)}:\n{result.stdout}\n{result.stderr}"
        return result

    def json(self, *words: str) -> Any:
        """Run one command with JSON output and return what it printed."""
        return json.loads(self.hoody(*words, "-o", "json").stdout)

    def up(self) -> None:
        self.hoody("up")

    @property
    def pid(self) -> int:
        return int(self.json("status")["pid"])

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> tuple[int, Any]:
        """Send one HTTP request as any other program would; return the status and the decoded answer."""
        status = self.json("status")
        token = token if token is not None else self.hoody("token", "show").stdout.strip()
        request = urllib.request.Request(
            status["url"].rstrip("/") + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json", **(headers or {})},
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                raw, code = answer.read(), answer.status
        except urllib.error.HTTPError as error:
            raw, code = error.read(), error.code
        try:
            return code, json.loads(raw)
        except ValueError:
            return code, raw.decode()

    def unit(self, name: str) -> Any:
        """Return a unit as the API tells it."""
        code, found = self.request("GET", f"/api/v1/agents/{name}")
        assert code == 200, found
        return found

    def running(self, name: str, *, other_than: int | None = None) -> Any:
        """Wait until a unit is RUNNING, with another process than ``other_than``, and return it."""

        def look() -> Any:
            unit = self.unit(name)
            status = unit["status"]
            return unit if status["state"] == "RUNNING" and status["pid"] != other_than else None

        return eventually(f"{name} RUNNING", look)


def need(program: str, mark: str) -> str:
    """Return the path of a program, or skip; fail instead where HOODY_TESTS_REQUIRE names it."""
    found = shutil.which(program)
    if found:
        return found
    if mark in os.environ.get("HOODY_TESTS_REQUIRE", "").split(","):
        pytest.fail(f"{program} is required here and not installed")
    pytest.skip(f"{program} is not installed on this machine")
