"""The commands and groups of this program: help with examples, and groups that load a command when it is called for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypeVar

import asyncclick
from asyncclick.exceptions import NoSuchCommand

if TYPE_CHECKING:
    from asyncclick.shell_completion import CompletionItem

F = TypeVar("F", bound=Callable[..., Any])

Effect = Literal["reads", "changes", "destroys"]
EFFECTS: Final[Mapping[Effect, str]] = {
    "reads": "Changes nothing.",
    "changes": "Changes what runs or what is remembered.",
    "destroys": "Removes something for good; asks first on a terminal.",
}
SETTINGS: Final = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class SectionOption(asyncclick.Option):
    """An option that is listed in the help under a heading of its own."""

    def __init__(self, *words: Any, section: str = "Options", **settings: Any) -> None:  # noqa: ANN401 - handed on to asyncclick as they are
        super().__init__(*words, **settings)
        self.section = section


class HoodyCommand(asyncclick.Command):
    """A command that says in its help what it changes, and shows examples; a test parses each of them."""

    def __init__(self, *words: Any, examples: str = "", effect: Effect = "reads", **settings: Any) -> None:  # noqa: ANN401 - handed on to asyncclick as they are
        super().__init__(*words, **settings)
        self.examples = tuple(line.strip() for line in examples.strip().splitlines())
        self.effect: Effect = effect

    def format_help_text(self, ctx: asyncclick.Context, formatter: asyncclick.HelpFormatter) -> None:
        """Write the purpose, what the command changes, and the examples."""
        super().format_help_text(ctx, formatter)
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_text(EFFECTS[self.effect])
        with formatter.section("Examples"):
            for line in self.examples:
                formatter.write(f"{'':>{formatter.current_indent}}{line}\n")

    def format_options(self, ctx: asyncclick.Context, formatter: asyncclick.HelpFormatter) -> None:
        """Write the options, each under its heading, in the order in which the headings come up."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is not None:
                title = param.section if isinstance(param, SectionOption) else "Options"
                sections.setdefault(title, []).append(record)
        for title, records in sections.items():
            with formatter.section(title):
                formatter.write_dl(records)


def command(
    name: str, *, examples: str, effect: Effect = "reads", rest_is_command: bool = False
) -> Callable[[Callable[..., int | None]], HoodyCommand]:
    """Make a command of a function that returns its exit code (None is 0).

    ``rest_is_command``: everything from the first word on that is no option belongs to a program, options included.
    """
    settings = {**SETTINGS, "allow_interspersed_args": not rest_is_command}
    return asyncclick.command(name, cls=HoodyCommand, examples=examples, effect=effect, context_settings=settings)


class Entry(NamedTuple):
    """Where a command is and what its line in the group's help says (kept here so that help loads no command)."""

    module: str
    attribute: str
    help: str


class LazyGroup(asyncclick.Group):
    """A group whose commands are imported when they are called for; ``sections`` order its help."""

    def __init__(self, name: str, *, sections: Mapping[str, Mapping[str, Entry]], **settings: Any) -> None:  # noqa: ANN401 - handed on to asyncclick as they are
        super().__init__(name, context_settings=dict(SETTINGS), **settings)
        self.sections = sections
        self._entries = {name: entry for section in sections.values() for name, entry in section.items()}

    def list_commands(self, ctx: asyncclick.Context) -> list[str]:  # noqa: ARG002 - asyncclick's signature
        """Return the names of the commands, in the order of the help."""
        return list(self._entries)

    def get_command(self, ctx: asyncclick.Context, cmd_name: str) -> asyncclick.Command | None:  # noqa: ARG002 - asyncclick's signature
        """Import a command; None where there is none of that name."""
        entry = self._entries.get(cmd_name)
        if entry is None:
            return None
        found = getattr(import_module(entry.module), entry.attribute)
        if not isinstance(found, asyncclick.Command):
            raise TypeError(f"{entry.module}.{entry.attribute} is not a command")
        return found

    def format_commands(self, ctx: asyncclick.Context, formatter: asyncclick.HelpFormatter) -> None:  # noqa: ARG002 - asyncclick's signature
        """Write a section per duty, each command with its line, importing none."""
        for title, entries in self.sections.items():
            with formatter.section(title):
                formatter.write_dl([(name, entry.help) for name, entry in entries.items()])

    async def resolve_command(
        self, ctx: asyncclick.Context, args: list[str]
    ) -> tuple[str | None, asyncclick.Command | None, list[str]]:
        """Find the command that ``args`` begin with; an unknown one is refused naming the nearest."""
        try:
            return await super().resolve_command(ctx, args)
        except NoSuchCommand as error:
            raise NoSuchCommand(error.command_name, possibilities=self._entries, ctx=ctx) from None

    def shell_complete(self, ctx: asyncclick.Context, incomplete: str) -> list[CompletionItem]:
        """Offer the names of the commands, importing none."""
        from asyncclick.shell_completion import CompletionItem

        return [
            CompletionItem(name, help=entry.help)
            for name, entry in self._entries.items()
            if name.startswith(incomplete)
        ] + asyncclick.Command.shell_complete(self, ctx, incomplete)
