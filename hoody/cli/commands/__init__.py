"""The tree of commands: names, where each is, and its line in the help. Imports none of them."""

from __future__ import annotations

import asyncclick

from hoody.cli.command import Entry, LazyGroup
from hoody.cli.console import say
from hoody.version import __version__

_HERE = "hoody.cli.commands"


def _print_version(ctx: asyncclick.Context, _param: asyncclick.Parameter, value: bool) -> None:  # noqa: FBT001 - asyncclick calls it
    if value and not ctx.resilient_parsing:
        say(f"hoody {__version__}")
        raise asyncclick.exceptions.Exit(0)


_LIST = Entry(f"{_HERE}.listing", "ps", "List agents with their state.")
_SHOW = Entry(f"{_HERE}.listing", "inspect", "Show everything about an agent.")
_START = Entry(f"{_HERE}.verbs", "start", "Start agents.")
_STOP = Entry(f"{_HERE}.verbs", "stop", "Stop agents and keep them stopped.")
_RESTART = Entry(f"{_HERE}.verbs", "restart", "Restart agents.")
_SIGNAL = Entry(f"{_HERE}.verbs", "signal", "Send a signal to agents.")
_PAUSE = Entry(f"{_HERE}.verbs", "pause", "Let nothing of agents run for a while.")
_RESUME = Entry(f"{_HERE}.verbs", "resume", "Let paused agents run on.")
_INPUT = Entry(f"{_HERE}.input", "input", "Write to the standard input of an agent.")
_REMOVE = Entry(f"{_HERE}.remove", "rm", "Forget agents.")
_LOGS = Entry(f"{_HERE}.logs", "logs", "Show what agents have printed.")
_HISTORY = Entry(f"{_HERE}.history", "history", "Show the incarnations of an agent and how each ended.")
_WHY = Entry(f"{_HERE}.history", "why", "Say why an agent is as it is.")

daemon_commands = LazyGroup(
    "daemon",
    help="The daemon itself: run it in the foreground, read its log.",
    sections={
        "Commands": {
            "run": Entry(f"{_HERE}.daemon", "run", "Run the daemon in the foreground."),
            "logs": Entry(f"{_HERE}.daemon_logs", "logs", "Show the daemon's own log."),
            "install": Entry(f"{_HERE}.daemon_install", "install", "Run it from login on: systemd or launchd."),
            "uninstall": Entry(f"{_HERE}.daemon_install", "uninstall", "Undo that."),
            "reload": Entry(f"{_HERE}.daemon_reload", "reload", "Take up changed files, or a new version, in place."),
        }
    },
)
token_commands = LazyGroup(
    "token",
    help="The token that opens the daemon's HTTP API.",
    sections={
        "Commands": {
            "show": Entry(f"{_HERE}.token", "show", "Print the token."),
            "rotate": Entry(f"{_HERE}.token", "rotate", "Replace the token by a new one."),
        }
    },
)
agents_commands = LazyGroup(
    "agents",
    help="Agents: programs that are kept alive.",
    sections={
        "Commands": {
            "list": _LIST,
            "create": Entry(f"{_HERE}.run", "create", "Define an agent without starting it."),
            "show": _SHOW,
            "start": _START,
            "stop": _STOP,
            "restart": _RESTART,
            "signal": _SIGNAL,
            "pause": _PAUSE,
            "resume": _RESUME,
            "input": _INPUT,
            "rm": _REMOVE,
            "logs": _LOGS,
            "history": _HISTORY,
            "why": _WHY,
        }
    },
)
groups_commands = LazyGroup(
    "groups",
    help="Groups: agents that are supervised together.",
    sections={
        "Commands": {
            "list": Entry(f"{_HERE}.groups", "list_groups", "List the groups."),
            "show": Entry(f"{_HERE}.groups", "show", "Show a group with its members."),
            "create": Entry(f"{_HERE}.groups", "create", "Define a group."),
            "start": Entry(f"{_HERE}.groups", "start", "Start the members in their order."),
            "stop": Entry(f"{_HERE}.groups", "stop", "Stop the members in the reverse order."),
            "restart": Entry(f"{_HERE}.groups", "restart", "Stop, then start."),
            "rm": Entry(f"{_HERE}.groups", "remove", "Forget a group; its members go on."),
        }
    },
)
completion_commands = LazyGroup(
    "completion",
    help="Print the script that teaches a shell to complete hoody's commands, options and agent names.",
    sections={
        "Shells": {
            shell: Entry(f"{_HERE}.completion", shell, f"The script for {shell}.") for shell in ("bash", "zsh", "fish")
        }
    },
)

root = LazyGroup(
    "hoody",
    help="Keep programs alive under a supervision tree, on this machine, without root.",
    params=[
        asyncclick.Option(
            ["--version"],
            is_flag=True,
            expose_value=False,
            is_eager=True,
            callback=_print_version,
            help="Print the version.",
        )
    ],
    sections={
        "Daemon": {
            "up": Entry(f"{_HERE}.daemon", "up", "Start the daemon in the background."),
            "down": Entry(f"{_HERE}.daemon", "down", "Stop the daemon and everything it runs."),
            "status": Entry(f"{_HERE}.status", "status", "Show whether the daemon runs, where, and how it is."),
            "health": Entry(f"{_HERE}.health", "health", "Show the health of everything; exit 0 if all is well."),
            "doctor": Entry(f"{_HERE}.doctor", "doctor", "Look the installation over; say what to mend."),
            "tree": Entry(f"{_HERE}.tree", "tree", "Draw the supervision tree."),
            "daemon": Entry(_HERE, "daemon_commands", "Run the daemon in the foreground; read its log."),
            "token": Entry(_HERE, "token_commands", "Show or replace the token of the HTTP API."),
        },
        "Agents": {
            "run": Entry(f"{_HERE}.run", "run", "Define an agent and start it."),
            "ps": _LIST,
            "top": Entry(f"{_HERE}.top", "top", "Show what agents use, live."),
            "inspect": _SHOW,
            "start": _START,
            "stop": _STOP,
            "restart": _RESTART,
            "signal": _SIGNAL,
            "pause": _PAUSE,
            "resume": _RESUME,
            "input": _INPUT,
            "wait": Entry(f"{_HERE}.wait", "wait", "Wait until agents are ready, healthy, running or stopped."),
            "logs": _LOGS,
            "why": _WHY,
            "history": _HISTORY,
            "events": Entry(f"{_HERE}.events", "events", "Show what has happened, and what happens."),
            "rm": _REMOVE,
            "groups": Entry(_HERE, "groups_commands", "Agents that are supervised together."),
            "agents": Entry(_HERE, "agents_commands", "All of these under one noun, and create."),
        },
        "Declared state": {
            "apply": Entry(f"{_HERE}.declared", "apply", "Make agents what a file declares."),
            "export": Entry(f"{_HERE}.declared", "export", "Print the definitions of agents as such a file."),
            "import": Entry(f"{_HERE}.importing", "import_file", "Turn another manager's file into such a file."),
            "schema": Entry(f"{_HERE}.schema", "schema", "Print the schema of that file, or of the HTTP API."),
        },
        "More": {
            "demo": Entry(f"{_HERE}.demo", "demo", "See an agent killed and back again, in half a minute."),
            "completion": Entry(_HERE, "completion_commands", "Print a completion script for bash, zsh or fish."),
            "version": Entry(f"{_HERE}.version", "version", "Print the version."),
        },
    },
)
