"""The ``hoody`` command."""

from __future__ import annotations

import gc
import sys


def main() -> None:
    """Run one command line and end the process with its exit code."""
    gc.disable()  # imports make thousands of objects that stay: looking through them costs 2 ms of 40
    try:
        from hoody.cli.entry import run

        gc.freeze()
        gc.enable()

        code = run(sys.argv[1:])
    except KeyboardInterrupt:  # Ctrl-C while the command was still being imported
        code = 130
    sys.exit(code)


if __name__ == "__main__":
    main()
