"""ecosystem.config.json of PM2: ``apps`` with their options. Pure."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any, Final

from hoody.importers.draft import Draft, Imported, Unmapped, imported
from hoody.importers.place import Place
from supervisor.errors import InvalidInput

_INTERPRETERS: Final = {
    ".js": "node",
    ".mjs": "node",
    ".cjs": "node",
    ".ts": "ts-node",
    ".py": "python3",
    ".sh": "bash",
    ".rb": "ruby",
    ".php": "php",
    ".pl": "perl",
}
_PLAIN: Final = {
    "autorestart": "restart",
    "max_restarts": "max_restarts",
    "max_memory_restart": "limits.memory",
    "uid": "user",
    "gid": "group",
    "watch": "watch",
    "ignore_watch": "watch_ignore",
    "stop_exit_codes": "success_exit_codes",
}
_MILLISECONDS: Final = {
    "kill_timeout": "stop_timeout",
    "min_uptime": "start_seconds",
    "listen_timeout": "start_timeout",
}
_LOGS: Final = ("out_file", "error_file", "log_file", "output", "error", "log", "pid_file")
_NOTES: Final = {
    "exec_mode": "there is no cluster mode; every instance is a process of its own",
    "instance_var": "an instance is numbered by NODE_APP_INSTANCE",
    "wait_ready": "process.send('ready') is not heard; write a readiness probe",
    "cron_restart": "a restart by the clock is not what schedule does",
    "merge_logs": "every agent has its own log",
    "combine_logs": "every agent has its own log",
    "log_date_format": "hoody logs --timestamps shows the time of each line",
    "log_type": "hoody logs -o json prints objects",
    "time": "hoody logs --timestamps shows the time of each line",
    "vizion": "revisions of a repository are not looked at",
    "treekill": "a stop always ends everything that the program has started",
    "shutdown_with_message": "a program is asked to end by a signal",
    "source_map_support": "is an option of node",
    "increment_var": "write the variable of each instance down",
    "post_update": "there is no update",
    "force": "is not needed",
    "filter_env": "the environment is that of the daemon and what is written down",
}
_PROGRAM: Final = {"name", "script", "args", "interpreter", "exec_interpreter", "interpreter_args", "node_args", "cwd"}
_COUNTS: Final = {"env", "instances", "restart_delay", "exp_backoff_restart_delay", "namespace", "append_env_to_name"}
_DONE: Final = frozenset(_PROGRAM | _COUNTS)


def import_pm2(text: str, place: Place) -> Imported:
    """Read an ecosystem file in JSON. Raises ``InvalidInput`` where it is none."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        hint = f"where it is JavaScript: node -p 'JSON.stringify(require(\"./{place.name}\"))' > ecosystem.config.json"
        raise InvalidInput(f"{place.name} is not JSON: {error}", hint=hint) from None
    apps = document.get("apps", document if "script" in document else None) if isinstance(document, dict) else document
    if isinstance(apps, dict):
        apps = [apps]
    if not isinstance(apps, list) or not all(isinstance(app, dict) for app in apps):
        raise InvalidInput(f"{place.name} has no list of apps")
    rest = []
    if isinstance(document, dict):
        rest = [Unmapped(None, key, "is not imported") for key in document if key != "apps" and "apps" in document]
    return imported([draft for app in apps for draft in _app(app, place)], rest)


def _app(app: Mapping[str, Any], place: Place) -> Iterator[Draft]:
    script = str(app.get("script", ""))
    name = str(app.get("name") or PurePosixPath(script).stem or "app")
    instances = app.get("instances", 1)
    known = isinstance(instances, int) and not isinstance(instances, bool)
    number = min(instances, 1000) if known and instances > 1 else 1
    for index in range(number):
        draft = Draft(f"{name}-{index}" if number > 1 else name)
        if number > 1:
            draft.label("app", name)
            draft.variable("NODE_APP_INSTANCE", str(index))
        if not known or instances < 1:
            draft.cannot(f"instances = {json.dumps(instances)}", "one is defined; the number of cores is not asked for")
        _fill(draft, app, script, place)
        yield draft


def _fill(draft: Draft, app: Mapping[str, Any], script: str, place: Place) -> None:
    draft.put("command", list(_command(app, script, draft)), "script")
    cwd = str(app.get("cwd", ""))
    draft.put("directory", str(PurePosixPath(place.folder, cwd)), "cwd")
    variant = f"env_{place.variant}" if place.variant else None
    for key in ("env", variant):
        variables = app.get(key) if key else None
        if isinstance(variables, Mapping):
            for variable, value in variables.items():
                draft.variable(variable, value if isinstance(value, str) else json.dumps(value))
    if app.get("namespace"):
        draft.label("namespace", str(app["namespace"]))
    _delays(draft, app)
    for option, value in app.items():
        _option(draft, option, value, variant)


def _command(app: Mapping[str, Any], script: str, draft: Draft) -> Iterator[str]:
    given = app.get("interpreter", app.get("exec_interpreter"))
    found = _INTERPRETERS.get(PurePosixPath(script).suffix) if given is None else str(given)
    if found and found != "none":
        yield found
        yield from _words(app.get("node_args", app.get("interpreter_args", ())), draft)
    yield from script.split() if " " in script and not found else [script]
    yield from _words(app.get("args", ()), draft)


def _words(value: object, draft: Draft) -> list[str]:
    if isinstance(value, list | tuple):
        return [str(word) for word in value]
    try:
        return shlex.split(str(value))
    except ValueError as error:
        draft.cannot("args", str(error))
        return str(value).split()


def _delays(draft: Draft, app: Mapping[str, Any]) -> None:
    growing, fixed = app.get("exp_backoff_restart_delay"), app.get("restart_delay")
    if growing:
        draft.put("backoff.initial", _milliseconds(growing), "exp_backoff_restart_delay")
        draft.put("backoff.factor", 1.5, "exp_backoff_restart_delay")
        draft.put("backoff.max", "15s", "exp_backoff_restart_delay")
    elif fixed:
        for key, value in (("initial", _milliseconds(fixed)), ("max", _milliseconds(fixed)), ("factor", 1.0)):
            draft.put(f"backoff.{key}", value, "restart_delay")


def _option(draft: Draft, option: str, value: Any, variant: str | None) -> None:  # noqa: ANN401 - any JSON
    if option in _DONE or option == variant or (value in (None, False, "") and option != "autorestart"):
        return
    if option == "autorestart":
        draft.put("restart", "always" if value else "never", option)
    elif option == "stop_exit_codes":
        draft.put("success_exit_codes", [0, *(value if isinstance(value, list) else [value])], option)
        draft.keys.setdefault("restart", "on-failure")
    elif option == "watch" and value is True:
        draft.put("watch", ["**/*"], option)
    elif option == "max_restarts":
        draft.put("max_restarts", value, option)
        draft.put("on_give_up", "fail", option)
    elif option in _PLAIN:
        draft.put(_PLAIN[option], value, option)
    elif option in _MILLISECONDS:
        draft.put(_MILLISECONDS[option], _milliseconds(value), option)
    elif option in _LOGS:
        draft.cannot(f"{option} = {value}", f"output is kept by the daemon: hoody logs {draft.name}")
    elif option.startswith("env_"):
        draft.cannot(option, f"to use it: --env {option.removeprefix('env_')}")
    else:
        draft.cannot(option, _NOTES.get(option, "has no counterpart"))


def _milliseconds(value: object) -> object:
    """PM2 takes milliseconds as a number, and text with a unit."""
    text = str(value).strip()
    return f"{text}ms" if text.isdecimal() else text
