"""``hoody import``."""

# Without pathlib: it is not worth its import here.
# ruff: noqa: PTH100, PTH119, PTH120, PTH123, PTH208
from __future__ import annotations

import os
from typing import TYPE_CHECKING

import asyncclick

from hoody.cli.command import command
from hoody.cli.console import note, say
from supervisor.errors import InvalidInput, NotFound, StorageError

if TYPE_CHECKING:
    from hoody.importers import Imported

_FORMATS = ("procfile", "supervisord", "pm2", "systemd")


@command(
    "import",
    examples="""
    hoody import Procfile > hoody.toml
    hoody import /etc/supervisor/supervisord.conf
    hoody import ecosystem.config.json --env production
    hoody import ~/.config/systemd/user/web.service | hoody apply -f -
    """,
)
@asyncclick.argument("file", metavar="FILE")
@asyncclick.option(
    "--format", "of", type=asyncclick.Choice(_FORMATS), metavar="FORMAT", help="What the file is (told by its name)."
)
@asyncclick.option("--env", "variant", metavar="NAME", help="Take the variables of env_NAME, too (PM2).")
@asyncclick.option(
    "-o", "--output", type=asyncclick.Choice(("toml", "json")), default="toml", help="Form of the result (toml)."
)
def import_file(file: str, of: str | None, variant: str | None, output: str) -> None:
    """Print what a file of another process manager says as a hoody.toml, and what could not be carried over.

    Takes Procfile, supervisord.conf, ecosystem.config.json (PM2) and X.service (systemd). Changes nothing by itself:
    look at what is printed, then apply it.
    """
    from hoody.cli.output import print_json
    from hoody.importers import import_text
    from hoody.importers.place import Place

    path = os.path.abspath(file)
    text = _read(path)
    folder = os.path.dirname(path)
    place = Place(
        folder=folder,
        name=os.path.basename(path),
        siblings=frozenset(os.listdir(folder)),
        environment=dict(os.environ),
        variant=variant,
    )
    found = import_text(text, place, of)
    if output == "json":
        print_json({"agents": dict(found.agents)})
    else:
        _print_toml(found)
    for each in found.unmapped:
        note(f"not carried over: {_clean(str(each))}")
    if not found.agents:
        raise InvalidInput(f"nothing in {path} can be run", hint="see what could not be carried over above")


def _print_toml(found: Imported) -> None:
    from hoody.toml_text import toml_text

    notes: dict[str, list[str]] = {}
    for each in found.unmapped:
        notes.setdefault(each.agent or "", []).append(_clean(f"not carried over: {each.what}: {each.why}"))
    for line in notes.pop("", ()):
        say(f"# {line}")
    say(toml_text({"agents": found.agents}, notes={name: tuple(lines) for name, lines in notes.items()}).rstrip("\n"))


def _clean(text: str) -> str:
    from hoody.cli.text import clean_cell

    return clean_cell(text)


def _read(path: str) -> str:
    try:
        with open(path, "rb") as file:
            content = file.read(4 * 1024 * 1024)
    except FileNotFoundError:
        raise NotFound(f"there is no file {path}") from None
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error.strerror or error}") from error
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{path} is not UTF-8 text (byte {error.start})") from None
