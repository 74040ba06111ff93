"""Where the daemon of this user is: ``HOODY_URL`` and ``HOODY_TOKEN``, or what the daemon wrote down when it started.

The token goes to nobody but the daemon: an address that is not on this machine is refused, and a ``daemon.json`` whose
process no longer lives is not followed, since any user may listen on the port by now.
"""

from __future__ import annotations

import os
import re
from typing import Final

from hoody.client.call import Endpoint, Finder
from hoody.daemon.private_file import read_private
from hoody.daemon.runtime_file import read_daemon_file
from hoody.home import Home, find_home
from supervisor.errors import DaemonNotRunning, InvalidInput, NotAllowed, Unauthorized

_URL: Final = re.compile(r"http://(localhost|127(?:\.\d{1,3}){3}|\[::1\]):(\d{1,5})/?")


def find_daemon(*, url: str | None = None, token: str | None = None) -> Finder:
    """Return a finder for ``url``, for ``HOODY_URL``, or for the daemon of this user's home, in this order.

    Raises ``InvalidInput`` for an address that is not ``http://`` on this machine.
    """
    home = find_home()
    address = url or os.environ.get("HOODY_URL")
    secret = token or os.environ.get("HOODY_TOKEN")
    if not address:
        return HomeFinder(home, token=secret)
    match = _URL.fullmatch(address)
    if match is None or not 0 < int(match[2]) < 65536:
        raise InvalidInput(
            f"{address!r} is not the address of a daemon on this machine",
            hint="use the form http://127.0.0.1:PORT, or unset HOODY_URL",
        )
    return AddressFinder(match[1].strip("[]"), int(match[2]), home, token=secret)


class HomeFinder:
    """Finds the daemon of one home by its ``daemon.json``."""

    def __init__(self, home: Home, *, token: str | None = None) -> None:
        self._home = home
        self._token = token

    def find(self) -> Endpoint:
        """Return where the daemon is now. Raises ``DaemonNotRunning``, or ``NotAllowed`` for the token."""
        found = read_daemon_file(self._home)
        if found is None:
            raise DaemonNotRunning(f"no daemon is running ({self._home.daemon_file} is not there)")
        if not found.alive:
            raise DaemonNotRunning(f"the daemon is not running (the last one, pid {found.pid}, has ended)")
        return Endpoint("127.0.0.1", found.port, self._token or read_token(self._home))


class AddressFinder:
    """Takes the daemon's address as given; the token too, or else from the token file of this user's home."""

    def __init__(self, host: str, port: int, home: Home, *, token: str | None = None) -> None:
        self._host = "127.0.0.1" if host == "localhost" else host
        self._port = port
        self._home = home
        self._token = token

    def find(self) -> Endpoint:
        """Return the endpoint. Raises ``NotAllowed`` where there is no token."""
        return Endpoint(self._host, self._port, self._token or read_token(self._home))


def read_token(home: Home) -> str:
    """Return the token in the home's token file. Raises ``NotAllowed`` where it cannot be read."""
    try:
        return read_private(home.token_file).strip()
    except FileNotFoundError:
        raise Unauthorized(
            f"there is no token file at {home.token_file}", hint="set HOODY_TOKEN, or start a daemon: hoody up"
        ) from None
    except OSError as error:
        raise NotAllowed(f"the token file {home.token_file} cannot be read: {error.strerror or error}") from error
