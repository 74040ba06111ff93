"""Procfile: a line per program, as foreman, overmind, honcho and Heroku have it. Pure."""

from __future__ import annotations

import re
from typing import Final

from hoody.importers.draft import Draft, Imported, Unmapped, imported
from hoody.importers.place import Place

_LINE: Final = re.compile(r"\s*([A-Za-z0-9_.-]+)\s*:\s*(.+?)\s*")
_PORT: Final = re.compile(r"\$\{?PORT\b")


def import_procfile(text: str, place: Place) -> Imported:
    """Read a Procfile; what it names runs in the folder of the file, with its ``.env`` where there is one."""
    drafts: list[Draft] = []
    rest: list[Unmapped] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            rest.append(Unmapped(None, f"line {number}", "is not 'name: command'"))
            continue
        drafts.append(_draft(match[1], match[2], place))
    return imported(drafts, rest)


def _draft(name: str, command: str, place: Place) -> Draft:
    draft = Draft(name)
    draft.run(command, "command")
    draft.put("directory", place.folder, "directory")
    if ".env" in place.siblings:
        draft.put("environment_files", [".env"], ".env")
    if name == "release":
        draft.put("restart", "never", "release")
    if _PORT.search(command):
        draft.cannot("$PORT", "is not set here; write environment = { PORT = ... }, or name it in .env")
    return draft
