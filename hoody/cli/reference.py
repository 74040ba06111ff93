"""The reference page of the command line, made from the commands themselves: ``python -m hoody.cli.reference``.

A test compares the page in ``docs/reference/cli.md`` with what this makes.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import asyncclick

from hoody.cli.command import EFFECTS, HoodyCommand, LazyGroup
from hoody.cli.commands import root

_HEAD = """\
# The command line

This page is made from the commands themselves.
`hoody COMMAND --help` prints the same in the terminal.

Results go to stdout and everything else to stderr.
Where a command takes `NAME...`, it takes several names and globs (in quotes: `'web*'`).
A glob that matches nothing is an error.
Durations take units: `500ms`, `10s`, `1h30m`.
Colours and progress appear on terminals only; `NO_COLOR` and `TERM=dumb` switch them off.
Control characters in anything that is printed are made visible, since names, commands and logs may be hostile.

| exit code | meaning |
| --- | --- |
| 0 | done |
| 1 | failed |
| 2 | wrong usage |
| 3 | no such agent |
| 4 | the daemon is not running |
| 5 | not allowed |
| 6 | timed out |
| 130 | interrupted |

`hoody wait` for `stopped` and `exited` gives the exit code of the agent's own program.

| variable | meaning |
| --- | --- |
| `HOODY_HOME` | one folder for configuration, state and runtime files |
| `HOODY_URL`, `HOODY_TOKEN` | another daemon on this machine, and its token |
| `HOODY_DEBUG=1` | show the traceback of a defect |
| `NO_COLOR` | no colours |
| `COLUMNS` | the width of tables |
"""


def commands() -> Iterator[tuple[str, HoodyCommand]]:
    """Yield every command with the words that call it, in the order of the help."""
    waiting: list[tuple[str, asyncclick.Command]] = [("hoody", root)]
    while waiting:
        words, found = waiting.pop(0)
        if isinstance(found, LazyGroup):
            context = asyncclick.Context(found)
            waiting = [
                (f"{words} {name}", command)
                for name in found.list_commands(context)
                if (command := found.get_command(context, name)) is not None
            ] + waiting
        elif isinstance(found, HoodyCommand):
            yield words, found


def page() -> str:
    """Return the whole page."""
    return _HEAD + "".join(_section(words, found) for words, found in commands())


def _section(words: str, command: HoodyCommand) -> str:
    context = asyncclick.Context(command, info_name=words, **command.context_settings)
    usage = " ".join([words, *command.collect_usage_pieces(context)])
    purpose = "\n\n".join(" ".join(paragraph.split()) for paragraph in (command.help or "").split("\n\n"))
    parts = [f"\n## {words}\n", f"    {usage}\n", f"{purpose}\n\n{EFFECTS[command.effect]}\n", "```sh"]
    parts += [*command.examples, "```\n"]
    rows = [record for param in command.get_params(context) if (record := param.get_help_record(context))]
    if rows:
        parts += ["| option | meaning |", "| --- | --- |"]
        parts += [f"| {_cell(f'`{option}`')} | {_cell(meaning)} |" for option, meaning in rows]
        parts.append("")
    return "\n".join(parts)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(page())
