"""What service managers need to be told so that the daemon runs from login on: a systemd user unit, a launchd plist.

Pure: texts out of facts.
"""

from __future__ import annotations

import plistlib
from collections.abc import Mapping, Sequence
from typing import Final

UNIT_NAME: Final = "hoody.service"
LABEL: Final = "dev.hoody.daemon"

_UNIT: Final = """\
# Written by: hoody daemon install
[Unit]
Description=Hoody Daemon, which keeps programs running
StartLimitIntervalSec=0

[Service]
Type=notify
NotifyAccess=main
ExecStart={command}
{environment}
# It takes up a new version in place with: hoody daemon reload --binary
ExecReload=/bin/kill -HUP $MAINPID
Restart=always
RestartSec=1
# An end with code 0 is one that somebody asked for: hoody down.
RestartPreventExitStatus=0
# When the daemon dies, what it keeps running stays, and the next one takes it up. A stop ends it in order.
KillMode=process
OOMPolicy=continue
Delegate=yes
WatchdogSec=30
TimeoutStopSec=15min

[Install]
WantedBy=default.target
"""


def systemd_unit(command: Sequence[str], environment: Mapping[str, str]) -> str:
    """Return the text of a user unit that runs ``command`` with these variables."""
    return _UNIT.format(
        command=" ".join(_quoted(word, "$") for word in command),
        environment="\n".join(f"Environment={_quoted(f'{name}={value}')}" for name, value in environment.items()),
    )


def launchd_plist(command: Sequence[str], environment: Mapping[str, str], log: str) -> str:
    """Return the text of a launch agent that does the same."""
    return plistlib.dumps(
        {
            "Label": LABEL,
            "ProgramArguments": list(command),
            "EnvironmentVariables": dict(environment),
            "RunAtLoad": True,
            "KeepAlive": {"SuccessfulExit": False},
            "AbandonProcessGroup": True,
            "ExitTimeOut": 900,
            "StandardErrorPath": log,
        },
        sort_keys=False,
    ).decode()


def _quoted(word: str, doubled: str = "") -> str:
    """Quote a word so that systemd takes every character of it as it is."""
    for each in "%" + doubled:
        word = word.replace(each, each * 2)
    escapes = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t"}
    return '"' + "".join(escapes.get(each, each) for each in word) + '"'
