"""What the runtime offers to the rest, and what it keeps to itself."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import supervisor.runtime
from supervisor.errors import HoodyError, error_classes
from supervisor.runtime import (
    ActorNotFound,
    ActorStopped,
    AskTimeout,
    ChildNotFound,
    DuplicateChild,
    MailboxFull,
    ReplyDropped,
    StartFailed,
    SupervisorBug,
    TooManyChildren,
)
from supervisor.runtime.reasons import NORMAL

RUNTIME = Path(supervisor.runtime.__file__).parent
PURE = ("brain", "children", "core", "dynamic_core", "errors", "policy", "reasons", "restart", "spec", "tree")


def imports_of(path: Path) -> set[str]:
    """Return the modules that a file imports at run time; what only a type checker sees does not count."""
    found: set[str] = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition(".")[0])
    return found


@pytest.mark.parametrize("name", PURE)
def test_what_decides_knows_neither_clock_nor_dice_nor_trio(name: str) -> None:
    assert imports_of(RUNTIME / f"{name}.py").isdisjoint({"trio", "time", "os", "random", "outcome"})


def test_the_runtime_does_not_load_its_testing_kit() -> None:
    code = "import sys, supervisor.runtime; print([m for m in sys.modules if 'testing' in m and 'supervisor' in m])"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)

    assert done.stdout.strip() == "[]"


def test_every_name_of_the_surface_is_there_and_documented() -> None:
    tree = ast.parse((RUNTIME / "__init__.py").read_text())
    names = [alias.asname for node in tree.body if isinstance(node, ast.ImportFrom) for alias in node.names]

    assert len(names) == len(set(names))
    for name in names:
        assert name is not None
        offered = getattr(supervisor.runtime, name)
        assert not isinstance(offered, type) or offered.__doc__, name


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (MailboxFull("web", 5), 503),
        (TooManyChildren("units", 5), 503),
        (ActorNotFound("web"), 503),
        (ActorStopped("web"), 503),
        (ActorStopped("web", NORMAL), 503),
        (StartFailed("root/web", "no"), 503),
        (AskTimeout("web", 1.5), 504),
        (ChildNotFound("units", "web"), 404),
        (DuplicateChild("units", "web"), 409),
        (ReplyDropped("web"), 500),
        (SupervisorBug("x"), 500),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_every_error_has_a_status_and_a_sentence_that_names_who(error: HoodyError, status: int) -> None:
    assert error.http_status == status
    assert "web" in str(error) or "units" in str(error) or isinstance(error, SupervisorBug)


def test_the_codes_of_the_errors_are_unique() -> None:
    codes = [found.code for found in error_classes() if found.__module__ == "supervisor.runtime.errors"]

    assert len(codes) == len(set(codes)) == 14
