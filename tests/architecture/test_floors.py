"""The house keeps its shape: floors, purity, size, and what a start of the command line may import."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("hoody", "api", "supervisor")

PURE = (
    "supervisor/errors.py",
    "supervisor/runtime/brain.py",
    "supervisor/runtime/children.py",
    "supervisor/runtime/core.py",
    "supervisor/runtime/dynamic_core.py",
    "supervisor/runtime/policy.py",
    "supervisor/runtime/reasons.py",
    "supervisor/runtime/restart.py",
    "supervisor/runtime/spec.py",
    "supervisor/runtime/tree.py",
    "supervisor/units/commands.py",
    "supervisor/units/condition.py",
    "supervisor/units/draft.py",
    "supervisor/units/effects.py",
    "supervisor/units/ends.py",
    "supervisor/units/events.py",
    "supervisor/units/facts.py",
    "supervisor/units/machine.py",
    "supervisor/units/moves.py",
    "supervisor/units/names.py",
    "supervisor/units/probes/machine.py",
    "supervisor/units/probes/pattern.py",
    "supervisor/units/probes/spec.py",
    "supervisor/units/probes/target.py",
    "supervisor/units/quantities.py",
    "supervisor/units/spec.py",
    "supervisor/units/status.py",
    "supervisor/containers/frames.py",
    "supervisor/containers/labels.py",
    "supervisor/containers/payload.py",
    "supervisor/containers/ports.py",
    "supervisor/containers/spec.py",
)
"""Modules that decide: they see no clock, no dice, no operating system and no scheduler."""

IMPURE_IMPORTS = {"trio", "os", "time", "random", "subprocess", "socket", "threading", "pathlib", "sqlite3"}
MODULE_LIMIT = 600
FUNCTION_LIMIT = 60


def sources() -> list[Path]:
    """List every module of the product."""
    return sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def imported(path: Path) -> set[str]:
    """Name every module that a file imports, at any depth of it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
    return names


def test_imports_only_go_down() -> None:
    """The floors are declared in pyproject.toml; import-linter reads the real import graph."""
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)

    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize("name", PURE)
def test_a_module_that_decides_imports_no_clock_dice_or_system(name: str) -> None:
    tops = {module.split(".")[0] for module in imported(ROOT / name)}

    assert not tops & IMPURE_IMPORTS


def test_no_module_and_no_function_outgrows_its_one_duty() -> None:
    too_long = []
    for path in sources():
        text = path.read_text()
        if text.count("\n") > MODULE_LIMIT:
            too_long.append(f"{path.relative_to(ROOT)}: {text.count(chr(10))} lines")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                first = node.body[0]
                doc = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
                start = first.end_lineno if doc and len(node.body) > 1 else node.lineno
                length = (node.end_lineno or 0) - (start or 0)
                if length > FUNCTION_LIMIT:
                    too_long.append(f"{path.relative_to(ROOT)}:{node.lineno} {node.name}: {length} lines")

    assert not too_long


def test_nothing_of_the_product_is_left_for_later() -> None:
    words = ("TO" + "DO", "FIX" + "ME", "XX" + "X")
    found = [str(p.relative_to(ROOT)) for p in sources() if any(word in p.read_text() for word in words)]

    assert not found


def swallows_everything(node: ast.AST) -> bool:
    """Tell whether a node catches everything and does not raise it again at its end."""
    if not isinstance(node, ast.ExceptHandler):
        return False
    blind = node.type is None or ast.unparse(node.type) == "BaseException"
    end = node.body[-1]
    return blind and not (isinstance(end, ast.Raise) and end.exc is None)


def test_an_exception_of_any_kind_is_caught_in_one_place_only() -> None:
    """A crash is caught where the runtime runs a child; elsewhere, what cleans up after everything raises it again."""
    found = {
        str(path.relative_to(ROOT))
        for path in sources()
        if any(swallows_everything(node) for node in ast.walk(ast.parse(path.read_text())))
    }

    assert found == {"supervisor/runtime/exits.py"}


@pytest.mark.parametrize(
    "code", ["import hoody", "import sys; sys.argv = ['hoody', '--help']; from hoody.__main__ import main; main()"]
)
def test_importing_hoody_or_asking_for_help_loads_no_server_no_engine_and_no_psutil(code: str) -> None:
    program = f"""
import sys
try:
    exec({code!r})
except SystemExit:
    pass
print(sorted({{'quart', 'docker', 'psutil', 'trio', 'hypercorn'}} & set(sys.modules)), file=sys.stderr)
"""
    result = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False, timeout=30
    )

    assert result.stderr.strip() == "[]"
