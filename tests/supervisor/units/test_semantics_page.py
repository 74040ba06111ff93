"""The page about units names tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "semantics-units.md"


def test_every_test_that_the_page_names_exists() -> None:
    folder = Path(__file__).parent
    sources = "".join(
        path.read_text(encoding="utf-8") for path in [*folder.rglob("*.py"), folder.parent / "contract.py"]
    )
    defined = set(re.findall(r"def (\w+)\(", sources))
    text = PAGE.read_text(encoding="utf-8")

    named = {name.rpartition(".")[2] for name in re.findall(r"`((?:UnitWorld\.|test_)\w+)`", text)}

    assert len(named) > 50
    assert named - defined == set()
