"""A service of systemd (``X.service``). Pure."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath
from typing import Final

from hoody.importers.draft import Draft, Imported, Unmapped, imported
from hoody.importers.place import Place
from hoody.importers.unit_file import Entry, assignments, expand_specifiers, read_unit_file, span
from supervisor.errors import InvalidInput

_MODIFIERS: Final = re.compile(r"^([@:+!-]*)(.*)$", re.DOTALL)
_VARIABLE: Final = re.compile(r"(?<!\$)\$(\w+|\{\w+\})")
_RESTARTS: Final = {
    "no": "never",
    "always": "always",
    "on-failure": "on-failure",
    "on-abnormal": "on-failure",
    "on-abort": "on-failure",
    "on-watchdog": "on-failure",
}
_TYPES: Final = {
    "forking": "the program must stay in the foreground: look for an option such as --foreground or --nodaemon",
    "dbus": "it counts as up after start_seconds",
    "idle": "it is started at once",
}
_HOOKS: Final = ("ExecStartPre", "ExecStartPost", "ExecStopPost", "ExecCondition", "ExecReload", "ExecStop")

Writer = Callable[[Draft, str], None]


def import_systemd(text: str, place: Place) -> Imported:
    """Read a service. Raises ``InvalidInput`` where the file is none."""
    name = PurePosixPath(place.name)
    try:
        entries = list(read_unit_file(text))
    except ValueError as error:
        raise InvalidInput(f"{place.name} is not a unit of systemd: {error}") from None
    if not any(entry.section == "Service" for entry in entries):
        raise InvalidInput(f"{place.name} has no [Service] section")
    draft = Draft(name.stem)
    rest: list[Unmapped] = []
    starts: list[str] = []
    for entry in entries:
        value = expand_specifiers(entry.value, place.name, place.environment)
        if (entry.section, entry.key) == ("Service", "ExecStart"):
            starts = [*starts, value] if value else []
        else:
            _entry(draft, entry, value)
    _commands(draft, starts)
    draft.keys.setdefault("restart", "never")
    return imported([draft], rest)


def _commands(draft: Draft, starts: list[str]) -> None:
    """Take ``ExecStart`` over: systemd asks no shell, but replaces variables, and runs several one after the other."""
    commands = [_without_modifiers(draft, start) for start in starts]
    if len(commands) > 1:
        draft.run(" && ".join(commands), "ExecStart", through_shell=True)
        draft.cannot("several ExecStart", "they were joined with &&")
    elif not commands:
        draft.put("command", [], "ExecStart")
    elif _VARIABLE.search(commands[0]):
        draft.run(f"exec {commands[0]}", "ExecStart", through_shell=True)
    else:
        draft.run(commands[0].replace("$$", "$"), "ExecStart", through_shell=False)


def _without_modifiers(draft: Draft, start: str) -> str:
    match = _MODIFIERS.match(start)
    modifiers, command = (match[1], match[2].strip()) if match else ("", start)
    if "-" in modifiers:
        draft.cannot("ExecStart=-", "a failure counts as one; name the codes that do not in success_exit_codes")
    if set(modifiers) & set("+!"):
        draft.cannot("ExecStart=" + "".join(sorted(set(modifiers) & set("+!"))), "it runs with the rights of the rest")
    if "@" in modifiers:
        words = _split(command)
        draft.cannot("ExecStart=@", f"it is called {words[0]!r} and not {words[1]!r}" if len(words) > 1 else "left out")
        command = shlex.join([*words[:1], *words[2:]])
    return command


def _split(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError:
        return command.split()


def _entry(draft: Draft, entry: Entry, value: str) -> None:
    if entry.section == "Install" or (entry.section, entry.key) in {("Unit", "Description"), ("Unit", "Documentation")}:
        return
    writer = _WRITERS.get(entry.key)
    if writer is not None:
        writer(draft, value)
    elif entry.key in _HOOKS:
        draft.cannot(f"{entry.key}={value}", "there is no such hook")
    elif entry.section == "Unit":
        draft.cannot(f"{entry.key}={value}", "write depends_on where the other is an agent here")
    else:
        draft.cannot(f"{entry.key}={value}", "has no counterpart")


def _time(path: str, key: str) -> Writer:
    def write(draft: Draft, value: str) -> None:
        found = span(value)
        if found is None:
            draft.cannot(f"{key}={value}", "there is always a limit")
        else:
            draft.put(path, found, key)

    return write


def _both_timeouts(draft: Draft, value: str) -> None:
    _time("stop_timeout", "TimeoutSec")(draft, value)
    _time("start_timeout", "TimeoutSec")(draft, value)


def _text(path: str, key: str) -> Writer:
    return lambda draft, value: draft.put(path, value, key)


def _whole(path: str, key: str) -> Writer:
    return lambda draft, value: draft.put(path, int(value) if value.lstrip("-").isdecimal() else value, key)


def _type(draft: Draft, value: str) -> None:
    if value in {"notify", "notify-reload"}:
        draft.put("readiness", {"notify": True}, "Type")
    elif value == "oneshot":
        draft.keys.setdefault("restart", "never")
    elif value in _TYPES:
        draft.cannot(f"Type={value}", _TYPES[value])


def _restart(draft: Draft, value: str) -> None:
    if value in _RESTARTS:
        draft.put("restart", _RESTARTS[value], "Restart")
        if value in {"on-abnormal", "on-abort", "on-watchdog"}:
            draft.cannot(f"Restart={value}", "became on-failure: also after an unclean exit code")
    else:
        draft.cannot(f"Restart={value}", "has no counterpart; it is not started again")


def _restart_delay(draft: Draft, value: str) -> None:
    delay = span(value)
    for key, each in (("initial", delay), ("factor", 1.0), ("max", delay), ("jitter", 0.0)):
        draft.put(f"backoff.{key}", each, "RestartSec")


def _burst(draft: Draft, value: str) -> None:
    _whole("max_restarts", "StartLimitBurst")(draft, value)
    draft.put("on_give_up", "fail", "StartLimitBurst")


def _success(draft: Draft, value: str) -> None:
    codes, signals = [0], []
    for word in value.split():
        if word.isdecimal():
            codes.append(int(word))
        else:
            signals.append(word)
    draft.put("success_exit_codes", codes, "SuccessExitStatus")
    if signals:
        draft.put("success_signals", signals, "SuccessExitStatus")


def _environment(draft: Draft, value: str) -> None:
    if not value:
        draft.keys.pop("environment", None)
        return
    try:
        found = assignments(value)
    except ValueError as error:
        draft.cannot(f"Environment={value}", str(error))
        return
    for key, text in found.items():
        draft.variable(key, text)


def _environment_file(draft: Draft, value: str) -> None:
    if value.startswith("-"):
        draft.cannot(f"EnvironmentFile={value}", "the file has to be there at each start")
    files = [*draft.keys.get("environment_files", ()), value.removeprefix("-")]
    draft.put("environment_files", files, "EnvironmentFile")


def _directory(draft: Draft, value: str) -> None:
    if value.startswith("-"):
        draft.cannot(f"WorkingDirectory={value}", "the folder has to be there at each start")
    draft.put("directory", value.removeprefix("-"), "WorkingDirectory")


def _kill_mode(draft: Draft, value: str) -> None:
    if value not in {"control-group", "mixed"}:
        draft.cannot(f"KillMode={value}", "a stop always ends everything that the program has started")


def _watchdog(draft: Draft, value: str) -> None:
    interval = span(value)
    if interval is not None:
        draft.put("liveness", {"notify": True, "interval": interval, "failures": 1}, "WatchdogSec")


def _quota(draft: Draft, value: str) -> None:
    number = value.removesuffix("%")
    draft.put("limits.cpu", float(number) / 100 if re.fullmatch(r"\d+(\.\d+)?", number) else value, "CPUQuota")


def _output(key: str) -> Writer:
    def write(draft: Draft, value: str) -> None:
        if value not in {"journal", "inherit", "journal+console"}:
            draft.cannot(f"{key}={value}", f"output is kept by the daemon: hoody logs {draft.name}")

    return write


_WRITERS: Final[Mapping[str, Writer]] = {
    "Type": _type,
    "Restart": _restart,
    "RestartSec": _restart_delay,
    "StartLimitBurst": _burst,
    "StartLimitIntervalSec": _time("period", "StartLimitIntervalSec"),
    "StartLimitInterval": _time("period", "StartLimitInterval"),
    "TimeoutStopSec": _time("stop_timeout", "TimeoutStopSec"),
    "TimeoutStartSec": _time("start_timeout", "TimeoutStartSec"),
    "TimeoutSec": _both_timeouts,
    "RuntimeMaxSec": _time("limits.runtime", "RuntimeMaxSec"),
    "WatchdogSec": _watchdog,
    "KillSignal": _text("stop_signal", "KillSignal"),
    "KillMode": _kill_mode,
    "SuccessExitStatus": _success,
    "Environment": _environment,
    "EnvironmentFile": _environment_file,
    "WorkingDirectory": _directory,
    "User": _text("user", "User"),
    "Group": _text("group", "Group"),
    "SupplementaryGroups": lambda draft, value: draft.put("groups", value.split(), "SupplementaryGroups"),
    "UMask": _text("umask", "UMask"),
    "Nice": _whole("nice", "Nice"),
    "LimitCORE": _text("limits.core", "LimitCORE"),
    "LimitFSIZE": _text("limits.file_size", "LimitFSIZE"),
    "LimitNOFILE": _whole("limits.open_files", "LimitNOFILE"),
    "MemoryMax": _text("limits.memory", "MemoryMax"),
    "MemoryLimit": _text("limits.memory", "MemoryLimit"),
    "TasksMax": _whole("limits.processes", "TasksMax"),
    "CPUQuota": _quota,
    "StandardOutput": _output("StandardOutput"),
    "StandardError": _output("StandardError"),
    "SyslogIdentifier": lambda _draft, _value: None,
}
