"""The ``hoody`` command."""

from __future__ import annotations

import sys


def main() -> None:
    """Run one command line and end the process with its exit code."""
    try:
        from hoody.cli.entry import run

        code = run(sys.argv[1:])
    except KeyboardInterrupt:  # Ctrl-C while the command was still being imported
        code = 130
    sys.exit(code)


if __name__ == "__main__":
    main()
