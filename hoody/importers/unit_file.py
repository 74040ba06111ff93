"""Files of systemd, read as systemd does: sections, repeated keys, continued lines, quotes and specifiers. Pure."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Final

from attrs import frozen

_UNITS: Final = {
    "msec": "ms",
    **dict.fromkeys(("sec", "second", "seconds"), "s"),
    **dict.fromkeys(("min", "minute", "minutes"), "m"),
    **dict.fromkeys(("hr", "hour", "hours"), "h"),
    **dict.fromkeys(("day", "days"), "d"),
    **dict.fromkeys(("week", "weeks"), "w"),
}
_SPECIFIER: Final = re.compile(r"%(.)")


@frozen
class Entry:
    """One assignment, in the order of the file."""

    section: str
    key: str
    value: str


def read_unit_file(text: str) -> Iterator[Entry]:
    """Yield the assignments of a unit file. Raises ``ValueError`` for a line that is none."""
    section, waiting = "", ""
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.strip()
        if not waiting and (not line or line[0] in "#;"):
            continue
        if waiting and line[:1] in {"#", ";"}:
            continue  # a comment within a continued line is skipped, and the line goes on
        line = waiting + line
        if line.endswith("\\"):
            waiting = line[:-1].rstrip() + " "
            continue
        waiting = ""
        if line.startswith("[") and line.endswith("]"):
            section = line[1:-1]
            continue
        key, equals, value = line.partition("=")
        if not equals or not section:
            raise ValueError(f"line {number} is neither [section] nor Key=value")
        yield Entry(section, key.strip(), value.strip())


def expand_specifiers(value: str, file_name: str, environment: Mapping[str, str]) -> str:
    """Replace ``%n``, ``%i``, ``%h`` and their like; one that is not known stays as it is."""
    stem = PurePosixPath(file_name).stem
    prefix, _, instance = stem.partition("@")
    known = {
        "%": "%",
        "n": file_name,
        "N": stem,
        "p": prefix,
        "i": instance,
        "I": instance.replace("-", "/"),
        "h": environment.get("HOME", "~"),
        "u": environment.get("USER", "%u"),
        "t": environment.get("XDG_RUNTIME_DIR", "%t"),
        "H": environment.get("HOSTNAME", "%H"),
    }
    return _SPECIFIER.sub(lambda match: known.get(match[1], match[0]), value)


def assignments(value: str) -> dict[str, str]:
    """Read ``Environment=``: assignments with spaces between them, quoted as a whole or in part."""
    found = {}
    for word in shlex.split(value, posix=True):
        key, equals, text = word.partition("=")
        if equals:
            found[key] = text
    return found


def span(value: str) -> str | None:
    """Read a length of time (``1min 30s``, ``90``); None for infinity. Returns text that our keys take."""
    text = value.strip().lower()
    if text in {"infinity", ""}:
        return None
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return f"{text}s"
    return re.sub(r"[a-z]+", lambda match: _UNITS.get(match[0], match[0]), text).replace(" ", "")
