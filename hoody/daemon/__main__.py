"""``python -m hoody.daemon``: the daemon without the command line, as ``hoody up`` starts it."""

from __future__ import annotations

import argparse
import sys

from hoody.daemon.main import Inherited, run_daemon
from hoody.version import __version__


def main() -> int:
    """Run the daemon, in the background if somebody waits for its word."""
    parser = argparse.ArgumentParser(prog="python -m hoody.daemon", description="Run the daemon in the foreground.")
    parser.add_argument("--ready-fd", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--listen-fds", help=argparse.SUPPRESS)
    parser.add_argument("--lock-fd", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--background", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--check", action="store_true", help="Say which version this is, and end.")
    given = parser.parse_args()
    if given.check:
        sys.stdout.write(f"{__version__}\n")
        return 0
    inherited = None
    if given.listen_fds is not None:
        inherited = Inherited(tuple(map(int, given.listen_fds.split(","))), given.lock_fd)
    foreground = given.ready_fd is None and not given.background
    return run_daemon(foreground=foreground, ready_fd=given.ready_fd, inherited=inherited)


if __name__ == "__main__":
    sys.exit(main())
