"""Files that declare units: read from a file, a folder or standard input, and merged into one document.

Blocking. What the document means is for the daemon to judge; here only what concerns files is: that they can be read,
that a name is declared once, and what a relative folder is relative to.
"""

# Without pathlib: commands pay for this import.
# ruff: noqa: PTH100, PTH109, PTH112, PTH118, PTH120, PTH123, PTH208
from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from supervisor.errors import InvalidInput, NotFound, Problem, StorageError

LARGEST: Final = 4 * 1024 * 1024
STDIN: Final = "-"
_DAEMON: Final = "daemon"


class Declared(NamedTuple):
    """A document for the daemon, what it is called there, and whether it says anything of the daemon itself."""

    document: dict[str, Any]
    source: str
    has_daemon_table: bool


def read_declared(place: str) -> Declared:
    """Read what is declared at ``place``: a file (TOML, or JSON by its name), a folder of TOML files, or ``-``.

    Raises ``NotFound``, ``StorageError`` where it cannot be read, and ``InvalidInput`` where it is not understood.
    """
    if place == STDIN:
        return _merged([(STDIN, os.getcwd(), _parse(STDIN, sys.stdin.buffer.read(LARGEST + 1)))], "stdin")
    full = os.path.abspath(place)
    if not os.path.isdir(full):
        return parse_declared(full, _read(full))
    files = sorted(name for name in _names(full) if name.endswith(".toml") and not name.startswith("."))
    if not files:
        raise NotFound(f"there is no .toml file in {full}")
    paths = [os.path.join(full, name) for name in files]
    return _merged([(path, full, _parse(path, _read(path))) for path in paths], full)


def parse_declared(path: str, content: bytes) -> Declared:
    """Understand the content of the file at ``path``, an absolute path. Raises ``InvalidInput``."""
    return _merged([(path, os.path.dirname(path), _parse(path, content))], path)


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError as error:
        raise StorageError(f"{folder} cannot be read: {error.strerror or error}") from error


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(LARGEST + 1)
    except FileNotFoundError:
        raise NotFound(f"there is no file {path}") from None
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error.strerror or error}") from error


def _parse(path: str, content: bytes) -> dict[str, Any]:
    name = "standard input" if path == STDIN else path
    if len(content) > LARGEST:
        raise InvalidInput(f"{name} is larger than {LARGEST} bytes")
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{name} is not UTF-8 text (byte {error.start})") from None
    if path.endswith(".json") or (path == STDIN and text.lstrip().startswith("{")):
        return _json(name, text)
    import tomllib

    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise InvalidInput(f"{name} is not TOML: {error}") from None


def _json(name: str, text: str) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"{name} is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise InvalidInput(f"{name} does not hold a JSON object")
    return document


def _merged(parts: Iterable[tuple[str, str, dict[str, Any]]], source: str) -> Declared:
    merged: dict[str, Any] = {}
    origin: dict[tuple[str, str], str] = {}
    problems = []
    has_daemon_table = False
    for path, folder, document in parts:
        for table, entries in document.items():
            if table == _DAEMON:
                has_daemon_table = True
            elif not isinstance(entries, Mapping):
                merged[table] = entries  # the daemon says what is wrong with it
            else:
                into = merged.setdefault(table, {})
                for name, entry in entries.items():
                    other = origin.setdefault((table, name), path)
                    if other is not path:
                        problems.append(Problem(f"{table}.{name}", f"is declared in {other} and in {path}"))
                    elif isinstance(into, dict):
                        into[name] = _at_home(entry, folder)
    if problems:
        raise InvalidInput.of(source, problems)
    return Declared(merged, source, has_daemon_table)


def _at_home(entry: object, folder: str) -> object:
    """Make the folder of an entry absolute: the daemon runs elsewhere. What is in a workspace is relative to that."""
    if not isinstance(entry, Mapping) or "workspace" in entry:
        return entry
    directory = entry.get("directory")
    if not isinstance(directory, str) or directory.startswith("~"):
        return entry
    return {**entry, "directory": os.path.normpath(os.path.join(folder, directory))}
