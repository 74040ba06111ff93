"""The daemon's imports: out of the way of its garbage collector, and none that it may never need."""

from __future__ import annotations

import subprocess
import sys

LOOK = """
import gc
from hoody.daemon import main
from hoody.daemon.heap import settle

settle()
kept, watched = gc.get_freeze_count(), len(gc.get_objects())
print(kept, watched)
"""


def test_what_the_daemon_has_imported_is_never_walked_over_again() -> None:
    """In a process of its own: what is frozen stays so."""
    found = subprocess.run([sys.executable, "-c", LOOK], check=True, capture_output=True, text=True, timeout=30)
    kept, watched = map(int, found.stdout.split())

    assert kept > 20_000
    assert watched < 1_000


def test_the_daemon_imports_nothing_that_it_may_never_need() -> None:
    """Each of these takes half a megabyte and more; whoever needs one imports it then."""
    look = "import sys; from hoody.daemon import main; print({'psutil', 'docker', 'asyncclick'} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", look], check=True, capture_output=True, text=True, timeout=30)

    assert found.stdout.strip() == "set()"
