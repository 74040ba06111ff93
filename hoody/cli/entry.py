"""Runs one command line: from the words to an exit code, with every error said in a sentence.

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 no such unit, 4 daemon not running, 5 not allowed, 6 timed out,
130 interrupted. Broken pipes are silent and no failure: whoever read our output has seen enough.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

import asyncclick

from hoody.cli.console import note
from hoody.cli.text import clean
from supervisor.errors import HoodyError, InvalidInput

T = TypeVar("T")
COMPLETE_VARIABLE = "_HOODY_COMPLETE"
"""Set by the shells' completion scripts."""


def drive(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that never suspends, without an event loop.

    asyncclick is written for one, but only awaits its own parts; importing trio for it would triple the start-up time.
    """
    try:
        coroutine.send(None)
    except StopIteration as done:
        value: T = done.value
        return value
    coroutine.close()
    raise RuntimeError("a command waited for an event loop that is not there")


def run(words: Sequence[str]) -> int:
    """Run the command that ``words`` say; return its exit code. Raises nothing but ``SystemExit``."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a terminal without UTF-8 is no reason to fail
    try:
        code = _run(words)
        sys.stdout.flush()
    except BrokenPipeError:
        _silence_stdout()
        return 0
    except KeyboardInterrupt:
        return 130
    return code


def _run(words: Sequence[str]) -> int:  # noqa: PLR0911 - one return for each way in which a command ends
    try:
        return drive(_invoke(words))
    except (BrokenPipeError, KeyboardInterrupt):
        raise
    except asyncclick.exceptions.Exit as end:
        return end.exit_code
    except asyncclick.Abort:
        return 130
    except asyncclick.exceptions.NoArgsIsHelpError as error:
        note(error.format_message())
        return error.exit_code
    except asyncclick.UsageError as error:
        return _usage(error)
    except asyncclick.ClickException as error:
        tell(error.format_message())
        return error.exit_code
    except HoodyError as error:
        tell_error(error)
        return error.exit_code
    except Exception as error:
        if os.environ.get("HOODY_DEBUG") == "1":
            raise
        tell(
            f"{type(error).__name__}: {error}",
            "this is a defect in hoody; HOODY_DEBUG=1 shows where, please report it",
        )
        return 1


async def _invoke(words: Sequence[str]) -> int:
    from hoody.cli.commands import root

    instruction = os.environ.get(COMPLETE_VARIABLE)
    if instruction:
        from asyncclick.shell_completion import shell_complete

        return await shell_complete(root, {}, "hoody", COMPLETE_VARIABLE, instruction)
    async with await root.make_context("hoody", list(words)) as context:
        result = await root.invoke(context)
    return result if isinstance(result, int) else 0


def tell(sentence: str, hint: str | None = None) -> None:
    """Print an error, and what to do about it, on stderr."""
    lines = [f"error: {clean(sentence)}"]
    if hint:
        lines.append(f"hint: {clean(hint)}")
    note("\n".join(lines))


def tell_error(error: HoodyError, prefix: str = "") -> None:
    """Print one of our errors; several faults of a document go on a line each."""
    problems = error.problems if isinstance(error, InvalidInput) else ()
    listed = "; ".join(map(str, problems))
    if len(problems) > 1 and error.detail.endswith(listed):
        tell(prefix + error.detail.removesuffix(listed).rstrip(" :") + ":")
        for problem in problems:
            note(f"  {clean(str(problem))}")
        if error.hint:
            note(f"hint: {clean(error.hint)}")
    else:
        tell(prefix + error.detail, error.hint)


def _usage(error: asyncclick.UsageError) -> int:
    command = error.ctx.command_path if error.ctx is not None else "hoody"
    tell(error.format_message(), f"{command} --help")
    return 2


def _silence_stdout() -> None:
    """Let the interpreter's own flush at exit go nowhere, so that it does not complain about the pipe again."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.close(null)
