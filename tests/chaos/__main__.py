"""``python -m tests.chaos``: a full run, its table, and with ``--write`` the table in docs/reliability.md.

``--seed`` repeats the wishes and faults of a run; the instants at which they meet are the machine's own.
"""

from __future__ import annotations

import argparse
import platform
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path

from tests.chaos.storm import PromiseBroken, Storm, Tally

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reliability.md"
_BEGIN, _END = "<!-- the last run -->\n", "<!-- end of the last run -->\n"


def main() -> int:
    """Run a storm. Returns 1 where a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description="Kill the daemon again and again.")
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    parser.add_argument("--kills", type=int, default=50, help="How often the daemon is killed (50).")
    parser.add_argument("--write", action="store_true", help="Write the table into docs/reliability.md.")
    given = parser.parse_args()
    print(f"seed {given.seed}", flush=True)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="hoody-chaos-") as folder:
        storm = Storm(Path(folder), seed=given.seed)
        try:
            tally = storm.run(given.kills)
        except PromiseBroken as broken:
            print(f"BROKEN: {broken}\n{storm.tally}\nagain: python -m tests.chaos --seed {given.seed}", file=sys.stderr)
            return 1
    text = table(tally, given.seed, time.monotonic() - began)
    print(text)
    if given.write:
        page = PAGE.read_text()
        head, _, rest = page.partition(_BEGIN)
        PAGE.write_text(head + _BEGIN + text + _END + rest.partition(_END)[2])
    return 0


def table(tally: Tally, seed: int, seconds: float) -> str:
    """Return the figures of a run as a table."""
    percentiles = statistics.quantiles(tally.adoption, n=100, method="inclusive")
    rows = [
        ("kills of the daemon", tally.daemon_kills),
        ("kills of agents", tally.agent_kills),
        ("freezes (SIGSTOP) of the daemon or an agent", tally.freezes),
        ("times without a byte free on the disk", tally.full_disks),
        ("times without a free descriptor", tally.starved),
        ("starts among forged or cut-off files", tally.forged),
        ("units", tally.units),
        ("incarnations", tally.books.incarnations),
        ("wishes answered", ", ".join(f"{number} {verb}" for verb, number in sorted(tally.wishes.items()))),
        ("wishes whose answer died with the daemon", tally.unanswered),
        ("**answered wishes lost**", tally.lost_wishes),
        ("**units with two processes at once**", tally.doubled_processes),
        ("lines written", f"{tally.books.written:,}"),
        ("**lines lost**", tally.books.lost),
        ("**lines doubled**", tally.books.doubled),
        ("**lines torn or out of order**", tally.books.torn),
        ("from the start of the next daemon's process until it knows every unit, p50", f"{percentiles[49]:.2f} s"),
        ("the same, p99", f"{percentiles[98]:.2f} s"),
    ]
    lines = "".join(f"| {what} | {figure} |\n" for what, figure in rows)
    machine = f"Python {platform.python_version()}, Linux {platform.release()}, {seconds:.0f} s"
    return f"Seed {seed}, {machine}.\n\n| | |\n| --- | --- |\n{lines}"


if __name__ == "__main__":
    raise SystemExit(main())
