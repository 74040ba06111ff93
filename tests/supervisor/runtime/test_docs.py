"""The pages about the runtime tell the truth: their proofs exist, and their example does what they say."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
SEMANTICS = ROOT / "docs" / "semantics.md"
GUIDE = ROOT / "docs" / "runtime.md"


def block(text: str, language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", text, re.DOTALL)
    assert found is not None
    return found.group(1)


def test_every_proof_that_the_semantics_name_exists() -> None:
    sources = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("*.py"))
    named = set(re.findall(r"`(test_\w+|\w+Machine)`", SEMANTICS.read_text()))

    missing = {name for name in named if not re.search(rf"(def|class) {name}\b", sources)}

    assert len(named) > 50
    assert missing == set()


def test_every_promise_of_the_semantics_has_a_proof() -> None:
    rows = [line for line in SEMANTICS.read_text().splitlines() if line.startswith("|")]
    promises = [row for row in rows if not row.startswith(("| id", "| ---"))]

    assert [row for row in promises if "`test_" not in row and "Machine`" not in row] == []


def test_every_property_of_the_runtime_is_promised() -> None:
    text = SEMANTICS.read_text()

    expected = [f"S{number}" for number in range(1, 13)] + [f"A{number}" for number in range(1, 11)]
    assert [name for name in expected if f"| {name} |" not in text] == []


def test_the_example_runs_and_prints_what_the_page_says() -> None:
    text = GUIDE.read_text()

    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", block(text, "python")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert done.stderr == ""
    assert done.stdout == block(text, "text")


def test_the_page_names_everything_that_the_kit_offers() -> None:
    kit = (ROOT / "supervisor" / "runtime" / "testing" / "__init__.py").read_text()
    harnesses = {name for name in re.findall(r"as (\w+)$", kit, re.MULTILINE) if name[0].islower()}
    text = GUIDE.read_text()

    assert [name for name in sorted(harnesses) if name not in text] == []
