"""supervisord.conf: ``[program:x]`` sections with their options. Pure."""

from __future__ import annotations

import configparser
import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from hoody.importers.draft import Draft, Imported, Unmapped, imported
from hoody.importers.place import Place
from supervisor.errors import InvalidInput

_PLACEHOLDER: Final = re.compile(r"%\((\w+)\)([0-9]*[sd])|%%")
_OWN: Final = ("supervisord", "supervisorctl", "unix_http_server", "inet_http_server")
_SPECIAL: Final = {
    "eventlistener": "the daemon does not write its events to the input of a program",
    "fcgi-program": "a socket is not opened for a program",
    "rpcinterface": "the HTTP API takes its place",
}
_THOUSANDS: Final = re.compile(r"([KMG])B$")
_TRUE: Final = frozenset({"true", "yes", "on", "1", "t", "y"})
_RESTARTS: Final = {"unexpected": "on-failure"}

Options = Mapping[str, str]
Writer = Callable[[Draft, str], None]


def import_supervisord(text: str, place: Place) -> Imported:
    """Read a configuration of supervisord. Raises ``InvalidInput`` where it is none."""
    parser = configparser.RawConfigParser(strict=False, inline_comment_prefixes=(";", "#"))
    try:
        parser.read_string(text, place.name)
    except configparser.Error as error:
        raise InvalidInput(f"{place.name} is not a configuration of supervisord: {error}") from None
    daemon = dict(parser["supervisord"]) if parser.has_section("supervisord") else {}
    groups = dict(_groups(parser))
    drafts: list[Draft] = []
    rest: list[Unmapped] = []
    for section in parser.sections():
        kind, _, name = section.partition(":")
        if kind == "program":
            drafts += _programs(name.strip(), parser[section], daemon, groups.get(name.strip()), place)
        elif kind == "include":
            rest.append(Unmapped(None, f"[include] {parser[section].get('files', '')}", "import those files as well"))
        elif kind in _SPECIAL:
            rest.append(Unmapped(None, f"[{section}]", _SPECIAL[kind]))
        elif kind == "group" and parser[section].get("priority"):
            rest.append(Unmapped(None, f"[{section}] priority", "a group has no priority"))
        elif kind not in {*_OWN, "group"}:
            rest.append(Unmapped(None, f"[{section}]", "is not known"))
    return imported(drafts, [*rest, *_of_the_daemon(daemon)])


def _of_the_daemon(options: Options) -> Iterator[Unmapped]:
    for option in ("minfds", "minprocs", "umask", "user"):
        if option in options:
            yield Unmapped(None, f"[supervisord] {option}", "the daemon runs as you and with your limits")


def _groups(parser: configparser.RawConfigParser) -> Iterator[tuple[str, str]]:
    for section in parser.sections():
        kind, _, group = section.partition(":")
        if kind == "group":
            for program in parser[section].get("programs", "").split(","):
                yield program.strip(), group.strip()


def _programs(name: str, options: Options, daemon: Options, group: str | None, place: Place) -> Iterator[Draft]:
    number = _number(options.get("numprocs", "1"), 1)
    first = _number(options.get("numprocs_start", "0"), 0)
    for index in range(first, first + number):
        known = {
            "program_name": name,
            "group_name": group or name,
            "process_num": index,
            "numprocs": number,
            "here": place.folder,
            "host_node_name": place.environment.get("HOSTNAME", "localhost"),
            **{f"ENV_{key}": value for key, value in place.environment.items()},
        }
        called = name
        if number > 1:
            called = _expanded(options.get("process_name", "%(program_name)s-%(process_num)02d"), known, Draft(name))
        draft = Draft(called)
        if group is not None:
            draft.label("group", group)
        if number > 1:
            draft.label("program", name)
        _fill(draft, {key: _expanded(value, known, draft) for key, value in options.items()}, daemon, known, place)
        yield draft


def _number(text: str, otherwise: int) -> int:
    return min(int(text), 1000) if text.strip().isdecimal() else otherwise


def _expanded(text: str, known: Mapping[str, object], draft: Draft) -> str:
    def value(match: re.Match[str]) -> str:
        if match[0] == "%%":
            return "%"
        if match[1] not in known:
            draft.cannot(match[0], "is not known here and was left as it is")
            return match[0]
        found = known[match[1]]
        return f"%{match[2]}" % (found if match[2].endswith("s") else int(str(found)))

    return _PLACEHOLDER.sub(value, text)


def _fill(draft: Draft, options: Options, daemon: Options, known: Mapping[str, object], place: Place) -> None:
    # supervisord splits the command into words and asks no shell.
    draft.run(options.get("command", ""), "command", through_shell=False)
    directory = options.get("directory") or _expanded(daemon.get("directory", ""), known, draft)
    draft.put("directory", directory or place.folder, "directory")
    for source in (_expanded(daemon.get("environment", ""), known, draft), options.get("environment", "")):
        for key, value in _variables(source, draft):
            draft.variable(key, value)
    for option, value in options.items():
        if option in _WRITERS:
            _WRITERS[option](draft, value.strip())
        elif option not in _DONE:
            draft.cannot(option, "is not known")
    draft.keys.setdefault("restart", "on-failure")


def _variables(text: str, draft: Draft) -> Iterator[tuple[str, str]]:
    if not text.strip():
        return
    lexer = shlex.shlex(text, posix=True)
    lexer.whitespace_split = False
    lexer.wordchars += "/.+-():%@!~^&*[]{}|\\<>?$`"
    try:
        tokens = list(lexer)
    except ValueError as error:
        draft.cannot("environment", str(error))
        return
    while tokens:
        key, equals, value, *tokens = (*tokens, "", "", "")
        if not key:
            return
        if equals != "=":
            draft.cannot("environment", f"is not KEY=value at {key!r}")
            return
        tokens = [each for each in tokens if each]
        if value == ",":
            value, tokens = "", [",", *tokens]
        yield key, value
        if tokens and tokens[0] == ",":
            tokens = tokens[1:]


def _to(path: str, option: str) -> Writer:
    return lambda draft, value: draft.put(path, value, option)


def _seconds(path: str, option: str) -> Writer:
    return lambda draft, value: draft.put(path, f"{value}s" if value.isdecimal() else value, option)


def _size(path: str, option: str) -> Writer:
    """Read a size in the units of supervisord, of which a KB is 1024 bytes."""
    return lambda draft, value: draft.put(path, _THOUSANDS.sub(r"\1iB", value.upper()), option)


def _autorestart(draft: Draft, value: str) -> None:
    word = value.lower()
    draft.put("restart", _RESTARTS.get(word, "always" if word in _TRUE else "never"), "autorestart")


def _autostart(draft: Draft, value: str) -> None:
    if value.lower() not in _TRUE:
        draft.cannot("autostart=false", f"apply starts what is new; to have it stopped: hoody stop {draft.name}")


def _retries(draft: Draft, value: str) -> None:
    draft.put("max_restarts", int(value) if value.isdecimal() else value, "startretries")
    draft.put("on_give_up", "fail", "startretries")


def _codes(draft: Draft, value: str) -> None:
    draft.put("success_exit_codes", [int(code) for code in value.split(",") if code.strip().isdecimal()], "exitcodes")


def _group_only(draft: Draft, value: str) -> None:
    if value.lower() not in _TRUE:
        draft.cannot("stopasgroup/killasgroup=false", "a stop always ends everything that the program has started")


def _whole(path: str, option: str) -> Writer:
    return lambda draft, value: draft.put(path, int(value) if value.lstrip("-").isdecimal() else value, option)


def _no(why: str, option: str) -> Writer:
    return lambda draft, _value: draft.cannot(option, why)


def _log_file(option: str) -> Writer:
    def write(draft: Draft, value: str) -> None:
        if value.upper() not in {"AUTO", ""}:
            draft.cannot(f"{option}={value}", f"output is kept by the daemon: hoody logs {draft.name}")

    return write


_STDOUT_ONLY: Final = "the two streams are kept apart, each with the same limits"
_WRITERS: Final[Mapping[str, Writer]] = {
    "autorestart": _autorestart,
    "autostart": _autostart,
    "startsecs": _seconds("start_seconds", "startsecs"),
    "startretries": _retries,
    "exitcodes": _codes,
    "stopsignal": _to("stop_signal", "stopsignal"),
    "stopwaitsecs": _seconds("stop_timeout", "stopwaitsecs"),
    "stopasgroup": _group_only,
    "killasgroup": _group_only,
    "user": _to("user", "user"),
    "umask": _to("umask", "umask"),
    "priority": _whole("priority", "priority"),
    "stdout_logfile": _log_file("stdout_logfile"),
    "stderr_logfile": _log_file("stderr_logfile"),
    "stdout_logfile_maxbytes": _size("logs.max_size", "stdout_logfile_maxbytes"),
    "stdout_logfile_backups": _whole("logs.backups", "stdout_logfile_backups"),
    "stderr_logfile_maxbytes": _no(_STDOUT_ONLY, "stderr_logfile_maxbytes"),
    "stderr_logfile_backups": _no(_STDOUT_ONLY, "stderr_logfile_backups"),
    "redirect_stderr": _no("hoody logs shows both streams merged by time", "redirect_stderr"),
    "serverurl": _no("a program finds the daemon by its own file", "serverurl"),
    **{
        name: _no("output is always captured, and read with hoody logs", name)
        for name in (
            "stdout_capture_maxbytes",
            "stderr_capture_maxbytes",
            "stdout_events_enabled",
            "stderr_events_enabled",
            "stdout_syslog",
            "stderr_syslog",
        )
    },
}
_DONE: Final = frozenset({"command", "directory", "environment", "process_name", "numprocs", "numprocs_start"})
