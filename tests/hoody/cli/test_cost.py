"""Commands that ask once and print stay light: what they import is what their users wait for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


def imported_by(code: str) -> set[str]:
    script = f"import sys\ntry:\n    {code}\nexcept SystemExit:\n    pass\nprint(*sys.modules, file=sys.stderr)"
    result = subprocess.run(
        [sys.executable, "-I", "-c", f"import sys; sys.path[:0] = {[p for p in sys.path if p]!r}\n{script}"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(result.stderr.splitlines()[-1].split())


def run(*words: str) -> str:
    return f"from hoody.cli.entry import run; run({list(words)!r})"


@pytest.mark.parametrize("words", [["--version"], ["version"], ["status"], ["ps"], ["inspect", "web"], ["stop", "web"]])
def test_a_light_command_imports_nothing_heavy(
    words: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, heavy: set[str]
) -> None:
    monkeypatch.setenv("HOODY_HOME", str(tmp_path))
    bare = imported_by("pass")

    assert not sorted((imported_by(run(*words)) - bare) & heavy)


@pytest.mark.parametrize("code", ["import hoody", run("--help"), run("agents", "--help"), run("run", "--help")])
def test_neither_the_package_nor_its_help_imports_the_server_or_docker_or_psutil(code: str) -> None:
    assert not sorted(imported_by(code) & {"quart", "hypercorn", "docker", "psutil", "trio", "cattrs"})


def test_help_lists_the_commands_without_importing_them() -> None:
    modules = {name for name in imported_by(run("--help")) if name.startswith("hoody.cli.commands.")}

    assert not modules


def test_the_clients_are_there_under_the_name_of_the_package() -> None:
    import hoody

    assert hoody.Client.__name__ == "Client"
    assert hoody.AsyncClient.__name__ == "AsyncClient"
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = hoody.Nothing  # type: ignore[attr-defined]
