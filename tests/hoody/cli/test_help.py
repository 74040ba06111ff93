"""Help is complete and stays as it is unless somebody means to change it; every example can be typed."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import asyncclick
import pytest

from hoody.cli.command import HoodyCommand, LazyGroup
from hoody.cli.commands import root
from hoody.cli.entry import drive
from hoody.cli.reference import commands, page

GOLDEN = Path(__file__).parent / "golden"
REFERENCE = Path(__file__).parents[3] / "docs" / "reference" / "cli.md"
COMMANDS = dict(commands())
GROUPS = {"hoody": root}
GROUPS |= {
    f"hoody {name}": group
    for name in root.list_commands(asyncclick.Context(root))
    if isinstance(group := root.get_command(asyncclick.Context(root), name), LazyGroup)
}


def help_of(words: str, command: asyncclick.Command) -> str:
    context = asyncclick.Context(command, info_name=words, terminal_width=80, **command.context_settings)
    return command.get_help(context) + "\n"


@pytest.mark.parametrize("words", [*COMMANDS, *GROUPS])
def test_the_help_page_is_the_one_that_was_agreed_on(words: str) -> None:
    """After a change that is meant: HOODY_WRITE_GOLDEN=1 pytest tests/hoody/cli/test_help.py"""
    found = help_of(words, COMMANDS.get(words) or GROUPS[words])
    golden = GOLDEN / f"{words.replace(' ', '-')}.txt"
    if os.environ.get("HOODY_WRITE_GOLDEN") == "1":
        GOLDEN.mkdir(exist_ok=True)
        golden.write_text(found)

    assert found == golden.read_text()


@pytest.mark.parametrize("words", COMMANDS)
def test_a_help_page_fits_eighty_columns_but_for_its_examples(words: str) -> None:
    examples = COMMANDS[words].examples
    lines = [line for line in help_of(words, COMMANDS[words]).splitlines() if line.strip() not in examples]

    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize("words", COMMANDS)
def test_a_command_says_what_it_is_for_what_it_changes_and_how_it_is_used(words: str) -> None:
    command = COMMANDS[words]

    assert command.help
    assert command.help.rstrip().endswith(".")
    assert command.examples
    assert all(isinstance(param, asyncclick.Argument) or getattr(param, "help", None) for param in command.params)


def calls_of_hoody(line: str) -> list[list[str]]:
    """Return the words of each call of hoody in one line of shell, as far as a pipe, a list or a redirection."""
    found: list[list[str]] = []
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    current: list[str] | None = None
    for word in lexer:
        if word == "hoody":
            current = []
            found.append(current)
        elif set(word) <= set("|&;<>()"):
            current = None
        elif current is not None:
            current.append(word)
    return found


@pytest.mark.parametrize(("words", "line"), [(words, line) for words in COMMANDS for line in COMMANDS[words].examples])
def test_every_example_can_be_typed(words: str, line: str) -> None:
    async def parse(args: list[str]) -> str:
        command: asyncclick.Command = root
        context = await root.make_context("hoody", args)
        while isinstance(command, LazyGroup):
            name, found, rest = await command.resolve_command(context, [*context._protected_args, *context.args])
            assert found is not None
            command, context = found, await found.make_context(name, rest, parent=context)
        return context.command_path

    for args in calls_of_hoody(line):
        drive(parse(args))
    if "$(" not in line and "'eval" not in line:
        assert calls_of_hoody(line), f"{words}: {line}"


def test_the_line_of_each_command_in_its_group_is_there() -> None:
    for words, group in GROUPS.items():
        for section in group.sections.values():
            for name, entry in section.items():
                assert entry.help.endswith("."), f"{words} {name}"
                assert len(entry.help) <= 68, f"{words} {name}"


def test_the_reference_page_is_made_from_the_commands_as_they_are() -> None:
    """After a change: python -m hoody.cli.reference > docs/reference/cli.md"""
    assert page() == REFERENCE.read_text()


def test_what_destroys_asks_first() -> None:
    for words, command in COMMANDS.items():
        assert isinstance(command, HoodyCommand)
        if command.effect == "destroys":
            assert any("--yes" in param.opts for param in command.params), words
