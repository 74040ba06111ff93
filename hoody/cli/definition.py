"""From the flags of ``run`` and ``create`` to the definition of an agent. Every key of a definition has its flag.

Values are checked as far as they can be without the daemon (durations, signals, pairs); the daemon checks the rest and
tells every fault at once, by the name of the key.
"""

# Without pathlib: it is not worth its import here.
# ruff: noqa: PTH118
from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, TypeVar

import asyncclick

from hoody.cli import relation_flags, trigger_flags
from hoody.cli.command import SectionOption
from hoody.cli.options import DURATION, PAIR, SIGNAL, SIZE
from hoody.cli.probe_flags import probe_table
from supervisor.errors import InvalidInput

F = TypeVar("F", bound=Callable[..., Any])

_RESTARTS: Final = ("always", "on-failure", "never")
_STDIN: Final = ("null", "pipe")
_GIVE_UPS: Final = ("retry", "fail", "escalate")
_ON_UNHEALTHY: Final = ("restart", "ignore")

PLAIN_FLAGS: Final[Mapping[str, str]] = {
    "restart": "restart",
    "max_restarts": "max_restarts",
    "period": "period",
    "on_give_up": "on_give_up",
    "start_seconds": "start_seconds",
    "stop_signal": "stop_signal",
    "stop_timeout": "stop_timeout",
    "start_timeout": "start_timeout",
    "on_unhealthy": "on_unhealthy",
    "stdin": "stdin",
    "user": "user",
    "group": "group",
    "umask": "umask",
    "nice": "nice",
    "memory": "limits.memory",
    "cpu": "limits.cpu",
    "processes": "limits.processes",
    "open_files": "limits.open_files",
    "core": "limits.core",
    "file_size": "limits.file_size",
    "runtime": "limits.runtime",
    "silence": "limits.silence",
    "on_dependency_restart": "on_dependency_restart",
    "priority": "priority",
    **trigger_flags.PLAIN_FLAGS,
    "backoff_initial": "backoff.initial",
    "backoff_factor": "backoff.factor",
    "backoff_max": "backoff.max",
    "backoff_jitter": "backoff.jitter",
    "backoff_reset_after": "backoff.reset_after",
    "log_max_size": "logs.max_size",
    "log_backups": "logs.backups",
    "log_max_age": "logs.max_age",
    "log_compress": "logs.compress",
}
"""Parameters whose value goes into the definition as it is, and the key that each sets."""


def _option(section: str, *words: str, **settings: Any) -> Callable[[F], F]:  # noqa: ANN401 - handed on to asyncclick
    return asyncclick.option(*words, cls=SectionOption, section=section, **settings)


_WHAT, _END, _DELAY, _LIFE = "What runs", "When it has ended", "How long to wait between tries", "Starting and stopping"
_HEALTH = "Whether it works"
_LIMITS = "What it may take at most"
_LOGS: Final = "How its output is kept"
_OPTIONS: Final = (
    _option(
        _WHAT,
        "-e",
        "--env",
        "--environment",
        "environment",
        multiple=True,
        metavar="KEY[=VALUE]",
        help="Set a variable; KEY alone takes it from here.",
    ),
    _option(
        _WHAT,
        "--env-file",
        "--environment-file",
        "environment_files",
        multiple=True,
        metavar="FILE",
        help="A file of KEY=value lines, read at each start.",
    ),
    _option(
        _WHAT,
        "--port",
        "ports",
        multiple=True,
        metavar="NAME",
        help="Give it a free port of its own, as NAME_PORT in its environment, and the first as PORT.",
    ),
    _option(_WHAT, "--directory", metavar="FOLDER", help="Where it runs; the present folder if not given."),
    _option(_WHAT, "--shell", is_flag=True, help="COMMAND is one string for sh -c."),
    _option(_WHAT, "--workspace", metavar="NAME", help="The workspace that it belongs to."),
    _option(_WHAT, "-l", "--label", "labels", multiple=True, type=PAIR, help="A label, for finding it again."),
    _option(
        _WHAT,
        "--stdin",
        type=asyncclick.Choice(_STDIN),
        metavar="WHAT",
        help="What it reads from: null, or pipe, for hoody input (null).",
    ),
    _option(_WHAT, "--user", metavar="USER", help="The user that it runs as; only root may choose another."),
    _option(_WHAT, "--group", metavar="GROUP", help="Its group; that of the user if not given."),
    _option(
        _WHAT,
        "--groups",
        multiple=True,
        metavar="GROUP",
        help="A supplementary group; those of the user if none is given.",
    ),
    _option(_WHAT, "--umask", metavar="OCTAL", help="Permissions that files it makes do not get, such as 027."),
    _option(_WHAT, "--nice", type=int, metavar="N", help="Its niceness, from -20 (first) to 19 (last)."),
    _option(
        _END,
        "--restart",
        type=asyncclick.Choice(_RESTARTS),
        metavar="WHEN",
        help="Start it again always, on-failure or never (always).",
    ),
    _option(
        _END,
        "--success-exit-code",
        "success_exit_codes",
        multiple=True,
        type=int,
        metavar="CODE",
        help="An exit code that is a wanted end (0).",
    ),
    _option(
        _END, "--success-signal", "success_signals", multiple=True, type=SIGNAL, help="A signal that is a wanted end."
    ),
    _option(
        _END, "--max-restarts", type=int, metavar="N", help="More than these within the period are a crash loop (10)."
    ),
    _option(_END, "--period", type=DURATION, help="The period of --max-restarts (60s)."),
    _option(
        _END,
        "--on-give-up",
        type=asyncclick.Choice(_GIVE_UPS),
        metavar="WHAT",
        help="In a crash loop: retry (slowly), fail or escalate (retry).",
    ),
    _option(_DELAY, "--backoff-initial", type=DURATION, help="Delay before the second try in a row (500ms)."),
    _option(
        _DELAY,
        "--backoff-factor",
        type=float,
        metavar="NUMBER",
        help="What the delay is multiplied with each time (2).",
    ),
    _option(_DELAY, "--backoff-max", type=DURATION, help="The longest delay (60s)."),
    _option(
        _DELAY, "--backoff-jitter", type=float, metavar="NUMBER", help="By how much of itself a delay varies (0.2)."
    ),
    _option(_DELAY, "--backoff-reset-after", type=DURATION, help="A run this long forgets earlier failures (60s)."),
    _option(_LIFE, "--start-seconds", type=DURATION, help="How long it must stay up to count as running (1s)."),
    _option(
        _LIFE, "--start-timeout", type=DURATION, help="How long it may take to become ready, with --readiness (60s)."
    ),
    _option(_LIFE, "--stop-signal", type=SIGNAL, help="The signal that asks it to end (TERM)."),
    _option(_LIFE, "--stop-timeout", type=DURATION, help="How long it may take to end before it is killed (10s)."),
    _option(
        _HEALTH,
        "--readiness",
        multiple=True,
        metavar="KEY=VALUE",
        help="It is up once this passes: http=URL, tcp=PORT, exec=COMMAND, log=PATTERN, heartbeat=FILE or notify; "
        "and interval=, timeout=, successes=, failures=.",
    ),
    _option(
        _HEALTH,
        "--liveness",
        multiple=True,
        metavar="KEY=VALUE",
        help="It is restarted when this fails; the same keys, and start_period=.",
    ),
    _option(
        _HEALTH,
        "--on-unhealthy",
        type=asyncclick.Choice(_ON_UNHEALTHY),
        metavar="WHAT",
        help="When --liveness fails: restart it, or ignore it and only show it (restart).",
    ),
    _option(_LIMITS, "--memory", type=SIZE, help="Memory that it may use, with all that it starts."),
    _option(
        _LIMITS, "--cpu", type=float, metavar="NUMBER", help="Processors that it may use, with all that it starts."
    ),
    _option(_LIMITS, "--processes", type=int, metavar="N", help="Processes and threads that it may have."),
    _option(_LIMITS, "--open-files", type=int, metavar="N", help="Files that each of its processes may have open."),
    _option(_LIMITS, "--core", type=SIZE, help="How large a core dump may be; 0 for none."),
    _option(_LIMITS, "--file-size", type=SIZE, help="How large a file may be that it writes."),
    _option(_HEALTH, "--runtime", type=DURATION, help="How long it may run."),
    _option(_HEALTH, "--silence", type=DURATION, help="How long it may write nothing."),
    _option(_LOGS, "--log-max-size", type=SIZE, help="A log file of this size is rotated (10MiB)."),
    _option(_LOGS, "--log-backups", type=int, metavar="N", help="How many rotated files are kept per stream (5)."),
    _option(_LOGS, "--log-max-age", type=DURATION, help="A log file older than this is rotated (never)."),
    _option(_LOGS, "--log-compress", is_flag=True, default=None, help="Compress rotated files."),
    *relation_flags.OPTIONS,
    *trigger_flags.OPTIONS,
)


def definition_options(function: F) -> F:
    """Add a flag for each key of a definition, and the command itself."""
    for add in reversed(_OPTIONS):
        function = add(function)
    return asyncclick.argument("words", nargs=-1, required=True, metavar="COMMAND...", type=asyncclick.UNPROCESSED)(
        function
    )


def definition(parameters: Mapping[str, Any], environ: Mapping[str, str], folder: str) -> dict[str, Any]:
    """Build the document that defines an agent, without its name, from the values of the flags.

    Only what was given is in it, so that the daemon's defaults hold for the rest. ``environ`` and ``folder`` are the
    user's own: relative paths mean what they mean where the command was typed.
    """
    document: dict[str, Any] = {"command": _command(parameters["words"], shell=parameters["shell"])}
    if parameters["shell"]:
        document["shell"] = True
    in_workspace = parameters["workspace"] is not None
    if in_workspace:
        document["workspace"] = parameters["workspace"]
    given = parameters["directory"]
    if given is not None or not in_workspace:
        document["directory"] = (given or "") if in_workspace else os.path.join(folder, given or "").rstrip("/") or "/"
    for path in parameters["environment_files"]:
        document.setdefault("environment_files", []).append(path if in_workspace else os.path.join(folder, path))
    if parameters["environment"]:
        document["environment"] = _environment(parameters["environment"], environ)
    if parameters["labels"]:
        document["labels"] = dict(parameters["labels"])
    for name in ("success_exit_codes", "success_signals", "ports", "groups"):
        if parameters[name]:
            document[name] = list(parameters[name])
    for name in ("readiness", "liveness"):
        if parameters[name]:
            document[name] = probe_table(f"--{name}", parameters[name])
    if parameters["depends_on"]:
        document["depends_on"] = relation_flags.dependencies(parameters["depends_on"])
    _set_plain(document, parameters)
    return document


def _set_plain(document: dict[str, Any], parameters: Mapping[str, Any]) -> None:
    for parameter, path in PLAIN_FLAGS.items():
        if parameters[parameter] is None:
            continue
        table, _, key = path.rpartition(".")
        (document.setdefault(table, {}) if table else document)[key] = parameters[parameter]


def _command(words: Sequence[str], *, shell: bool) -> str | list[str]:
    if not shell:
        return list(words)
    if len(words) > 1:
        raise InvalidInput(
            f"--shell takes the command as one string, got {len(words)} words",
            hint="put the whole command in quotes: hoody run --shell -- 'cd /srv && exec ./serve'",
        )
    return words[0]


def _environment(pairs: Iterable[str], environ: Mapping[str, str]) -> dict[str, str]:
    found = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not key:
            raise InvalidInput(f"--env expects KEY=VALUE, got {pair!r}")
        if not equals:
            if key not in environ:
                raise InvalidInput(
                    f"--env {key}: there is no such variable here", hint=f"give its value: --env {key}=..."
                )
            value = environ[key]
        found[key] = value
    return found
