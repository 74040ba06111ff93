"""``python -m hoody.daemon``: the daemon without the command line, as ``hoody up`` starts it."""

from __future__ import annotations

import argparse
import sys

from hoody.daemon.main import run_daemon


def main() -> int:
    """Run the daemon, in the background if somebody waits for its word."""
    parser = argparse.ArgumentParser(prog="python -m hoody.daemon", description="Run the daemon in the foreground.")
    parser.add_argument("--ready-fd", type=int, help=argparse.SUPPRESS)
    ready_fd: int | None = parser.parse_args().ready_fd
    return run_daemon(foreground=ready_fd is None, ready_fd=ready_fd)


if __name__ == "__main__":
    sys.exit(main())
