"""Which file is read by which importer. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from hoody.importers.draft import Imported
from hoody.importers.place import Place
from hoody.importers.pm2 import import_pm2
from hoody.importers.procfile import import_procfile
from hoody.importers.supervisord import import_supervisord
from hoody.importers.systemd import import_systemd
from supervisor.errors import InvalidInput

FORMATS: Final[Mapping[str, Callable[[str, Place], Imported]]] = {
    "procfile": import_procfile,
    "supervisord": import_supervisord,
    "pm2": import_pm2,
    "systemd": import_systemd,
}


def import_text(text: str, place: Place, of: str | None = None) -> Imported:
    """Read a file of another process manager; ``of`` is its format, by default that of its name.

    Raises ``InvalidInput`` where the file is not what it should be.
    """
    return FORMATS[of or _format(place.name)](text, place)


def _format(name: str) -> str:
    lower = name.lower()
    if lower.startswith("procfile") or lower.endswith(".procfile"):
        return "procfile"
    if lower.endswith((".conf", ".ini")):
        return "supervisord"
    if lower.endswith((".json", ".js", ".cjs")):
        return "pm2"
    if lower.endswith(".service"):
        return "systemd"
    hint = f"say what it is: --format {'|'.join(FORMATS)}"
    raise InvalidInput(f"what kind of file {name!r} is cannot be told from its name", hint=hint)
