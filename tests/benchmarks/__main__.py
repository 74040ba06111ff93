"""Run the benchmarks one after another: ``python -m tests.benchmarks [NAME ...]``, with NAME as in ``bench_NAME.py``.

Each is a program of its own that prints ratios against a floor or a peer measured in the same run and writes JSON; here
they only share a folder for the results. The exit code is 1 where one of them could not run to its end.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
RESULTS = HERE / "results"
LONGEST = 1800.0


def main(wanted: list[str]) -> int:
    """Run the benchmarks that are named, or all."""
    known = {path.stem.removeprefix("bench_"): path for path in sorted(HERE.glob("bench_*.py"))}
    unknown = sorted(set(wanted) - set(known))
    if unknown:
        print(f"no such benchmark: {', '.join(unknown)} (there are: {', '.join(known)})", file=sys.stderr)
        return 2
    RESULTS.mkdir(exist_ok=True)
    broken = []
    for name in wanted or known:
        print(f"\n== {name}", flush=True)
        command = [sys.executable, str(known[name]), "--json", str(RESULTS / f"{name}.json")]
        if subprocess.run(command, cwd=ROOT, check=False, timeout=LONGEST).returncode != 0:
            broken.append(name)
    if broken:
        print(f"\ndid not run to the end or missed a goal: {', '.join(broken)}", file=sys.stderr)
    return 1 if broken else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
