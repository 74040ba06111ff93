"""Options and arguments that several commands share, and how their words are read."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, TypeVar

import asyncclick

from hoody.cli.completers import agent_names

if TYPE_CHECKING:
    from asyncclick import Context, Parameter

F = TypeVar("F", bound=Callable[..., Any])
FORMATS: Final = ("table", "wide", "json", "jsonl", "name")


class DurationType(asyncclick.ParamType[float]):
    """A length of time such as ``500ms``, ``10s`` or ``1h30m``; becomes seconds."""

    name = "duration"

    def convert(self, value: Any, param: Parameter | None, ctx: Context | None) -> float:  # noqa: ANN401 - as asyncclick has it
        """Read the duration; a wrong one is a usage error that says what is allowed."""
        from supervisor.units.quantities import parse_duration

        try:
            return parse_duration(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class SizeType(asyncclick.ParamType[int]):
    """A number of bytes such as ``64KiB`` or ``10MB``."""

    name = "size"

    def convert(self, value: Any, param: Parameter | None, ctx: Context | None) -> int:  # noqa: ANN401 - as asyncclick has it
        """Read the size; a wrong one is a usage error that says what is allowed."""
        from supervisor.units.quantities import parse_size

        try:
            return parse_size(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class SignalType(asyncclick.ParamType[str]):
    """A signal by name or number; becomes its name without the prefix."""

    name = "signal"

    def convert(self, value: Any, param: Parameter | None, ctx: Context | None) -> str:  # noqa: ANN401 - as asyncclick has it
        """Read the signal; a wrong one is a usage error."""
        from supervisor.units.quantities import parse_signal

        try:
            return parse_signal(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class PairType(asyncclick.ParamType[tuple[str, str]]):
    """``KEY=VALUE``; only the first equals sign parts."""

    name = "key=value"

    def convert(self, value: Any, param: Parameter | None, ctx: Context | None) -> tuple[str, str]:  # noqa: ANN401 - as asyncclick has it
        """Part the words; without a key or an equals sign it is a usage error."""
        if isinstance(value, tuple):
            return value
        key, equals, text = str(value).partition("=")
        if not key or not equals:
            self.fail(f"expected KEY=VALUE, got {value!r}", param, ctx)
        return key, text


class TailType(asyncclick.ParamType[int]):
    """A number of lines, or ``all``; becomes the number, -1 for all."""

    name = "lines"

    def convert(self, value: Any, param: Parameter | None, ctx: Context | None) -> int:  # noqa: ANN401 - as asyncclick has it
        """Read the number; anything else is a usage error."""
        if value == "all":
            return ALL_LINES
        if isinstance(value, int):
            return value
        if not (str(value).isascii() and str(value).isdecimal()) or len(str(value)) > 9:
            self.fail(f"expected a number of lines or 'all', got {value!r}", param, ctx)
        return int(value)


class TimeType(asyncclick.ParamType["datetime | float"]):
    """A time (RFC 3339), or a length of time; becomes the one or the other."""

    name = "time"

    def convert(self, value: Any, param: Parameter | None, ctx: Context | None) -> datetime | float:  # noqa: ANN401 - as asyncclick has it
        """Read the time; anything else is a usage error. One without a zone is local."""
        from supervisor.units.quantities import parse_duration

        if isinstance(value, datetime | float):
            return value
        with suppress(ValueError):
            return parse_duration(value)
        with suppress(ValueError, OverflowError):
            return datetime.fromisoformat(value).astimezone()
        return self.fail(
            f"expected a time such as 2026-01-31T12:00:00Z, or a length of time such as 10m, got {value!r}", param, ctx
        )


ALL_LINES: Final = -1
DURATION: Final = DurationType()
SIZE: Final = SizeType()
SIGNAL: Final = SignalType()
PAIR: Final = PairType()
TAIL: Final = TailType()
TIME: Final = TimeType()

_SELECTORS: Final = "hoody.selectors"
_OUTPUT_HELP: Final = "Form of the result: a table for people, JSON for programs."


def output_options(*formats: str) -> Callable[[F], F]:
    """Add ``-o``, ``--json`` and ``-q``, which all set ``output``."""
    allowed = formats or FORMATS

    def add(function: F) -> F:
        if "name" in allowed:
            function = asyncclick.option("-q", "--quiet", "output", flag_value="name", help="Names only (-o name).")(
                function
            )
        function = asyncclick.option("--json", "output", flag_value="json", help="The same as -o json.")(function)
        return asyncclick.option(
            "-o", "--output", "output", type=asyncclick.Choice(allowed), default="table", help=_OUTPUT_HELP
        )(function)

    return add


def names_argument(*, required: bool = True) -> Callable[[F], F]:
    """Add ``NAME...``, names and globs of agents, and ``--selector``, which adds those whose labels fit."""

    def gather(ctx: Context, param: Parameter, names: tuple[str, ...]) -> tuple[str, ...]:
        found = (*names, *ctx.meta.get(_SELECTORS, ()))
        if required and not found and not ctx.resilient_parsing:
            raise asyncclick.MissingParameter(ctx=ctx, param=param)
        return found

    def add(function: F) -> F:
        function = asyncclick.argument(
            "names", nargs=-1, metavar="NAME...", shell_complete=agent_names, callback=gather
        )(function)
        return asyncclick.option(
            "--selector",
            multiple=True,
            metavar="LABELS",
            expose_value=False,
            is_eager=True,
            callback=_keep_selectors,
            help="Those whose labels fit: k=v, k!=v, k, !k, 'k in (a, b)'; commas mean and.",
        )(function)

    return add


def _keep_selectors(ctx: Context, _param: Parameter, words: tuple[str, ...]) -> None:
    from hoody.cli.selecting import LabelSelector

    ctx.meta[_SELECTORS] = tuple(map(LabelSelector, words))


def wait_options(default: float) -> Callable[[F], F]:
    """Add ``--wait/--no-wait`` and ``--timeout``."""

    def add(function: F) -> F:
        function = asyncclick.option(
            "--timeout", type=DURATION, default=default, help=f"How long to wait ({default:g}s)."
        )(function)
        return asyncclick.option(
            "--wait/--no-wait", default=True, help="Wait until it is done (the default), or only ask for it."
        )(function)

    return add


yes_option = asyncclick.option("-y", "--yes", is_flag=True, help="Do not ask.")
