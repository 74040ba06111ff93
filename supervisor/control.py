"""What the edge may ask of the daemon as a whole: the seam between the HTTP service and the process that it runs in."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol


class DaemonControl(Protocol):
    """The daemon, as seen from within its tree. All of it is called on the trio thread."""

    @property
    def version(self) -> str:
        """The version of the product."""

    @property
    def instance(self) -> str:
        """The id of this home; every process that belongs to it carries it in its environment."""

    @property
    def started_at(self) -> datetime:
        """When this daemon started, in UTC."""

    @property
    def folders(self) -> Mapping[str, str]:
        """Where its files are: ``config``, ``state``, ``runtime`` and ``logs``."""

    def verify_token(self, token: bytes) -> bool:
        """Tell whether ``token`` is the present bearer token, in constant time."""

    async def rotate_token(self) -> str:
        """Make a new token, on disk before this returns; the old one is refused from then on. Raises ``StorageError``.

        Goes on to its end when the caller is cancelled.
        """

    async def replace_program(self) -> str:
        """Check the program on disk, and begin to be replaced by it: same process, same address, units keep running.

        Returns its version. Raises ``Unavailable`` where it does not start, and ``Conflict`` where the daemon is
        ending; nothing has changed then.
        """

    def shutdown(self, *, leave_units: bool) -> None:
        """Begin the orderly end of the daemon and return at once.

        With ``leave_units`` what runs is left running, for the next daemon to look after. A second call hurries.
        """
