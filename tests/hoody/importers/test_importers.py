"""Files of other process managers: what they say in our words, and that nothing is dropped in silence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hoody.importers import FORMATS, Imported, import_text
from hoody.importers.draft import is_key
from hoody.importers.place import Place
from hoody.toml_text import toml_text
from supervisor.declared import read_declaration
from supervisor.errors import InvalidInput

FILES = Path(__file__).parent / "files"
ENVIRONMENT = {"HOME": "/home/somebody", "HOSTNAME": "box"}


def place(name: str, **more: Any) -> Place:
    return Place(folder="/srv/here", name=name, environment=ENVIRONMENT, **more)


def read(name: str, **more: Any) -> Imported:
    return import_text((FILES / name).read_text(), place(name, **more))


def notes(found: Imported, agent: str | None) -> dict[str, str]:
    return {each.what: each.why for each in found.unmapped if each.agent == agent}


def one(text: str, name: str) -> dict[str, Any]:
    (agent,) = import_text(text, place(name)).agents.values()
    return dict(agent)


@pytest.mark.parametrize("name", ["Procfile", "supervisord.conf", "ecosystem.config.json", "web.service"])
def test_what_is_imported_is_a_declaration_that_survives_being_written_and_read(name: str) -> None:
    import tomllib

    found = read(name)
    text = toml_text({"agents": found.agents})

    assert found.agents
    assert tomllib.loads(text) == {"agents": found.agents}
    assert len(read_declaration({"agents": found.agents}).agents) == len(found.agents)


# ---- Procfile ----


def test_a_procfile_is_read_line_by_line() -> None:
    found = read("Procfile", siblings=frozenset({".env"}))

    assert list(found.agents) == ["web", "worker", "clock", "release", "css"]
    assert found.agents["web"] == {
        "command": "bundle exec puma -C config/puma.rb -p $PORT",
        "shell": True,
        "directory": "/srv/here",
        "environment_files": [".env"],
    }
    assert "shell" not in found.agents["worker"]
    assert found.agents["clock"]["shell"] is True
    assert found.agents["release"]["restart"] == "never"
    assert notes(found, None) == {"line 7": "is not 'name: command'"}
    assert "$PORT" in notes(found, "web")


def test_names_that_are_taken_or_not_possible_are_changed_and_told() -> None:
    found = import_text("web: a\nWEB: b\n-x-: c\n", place("Procfile.dev"))

    assert list(found.agents) == ["web", "WEB-2", "x"]
    assert notes(found, "WEB-2") == {"name 'WEB'": "is not possible or taken"}


# ---- supervisord ----


def test_the_options_of_supervisord_become_our_keys() -> None:
    agent = read("supervisord.conf").agents["gunicorn"]

    assert agent["command"].endswith('--workers 3 --access-logformat "%(h)s %(s)s"')
    assert agent["environment"] == {
        "DJANGO_SETTINGS_MODULE": "shop.settings",
        "LANG": "C.UTF-8",
        "SECRET_KEY": "a,b=c%d",
        "WORKERS": "3",
        "HOME": "/home/somebody",
        "EMPTY": "",
        "HERE": "/srv/here",
    }
    assert {key: agent[key] for key in ("directory", "restart", "start_seconds", "stop_signal", "stop_timeout")} == {
        "directory": "/srv/shop",
        "restart": "always",
        "start_seconds": "5s",
        "stop_signal": "QUIT",
        "stop_timeout": "30s",
    }
    assert (agent["max_restarts"], agent["on_give_up"]) == (5, "fail")
    assert agent["logs"] == {"max_size": "20MiB", "backups": 3}
    assert agent["labels"] == {"group": "shop"}
    assert "shell" not in agent


def test_numprocs_makes_an_agent_of_each() -> None:
    agents = read("supervisord.conf").agents

    assert [name for name in agents if name.startswith("celery")] == ["celery_01", "celery_02", "celery_03"]
    assert agents["celery_02"]["command"].endswith("-n worker02@%h -l info")
    assert agents["celery_02"]["restart"] == "on-failure"
    assert agents["celery_02"]["labels"] == {"group": "shop", "program": "celery"}


def test_what_supervisord_has_and_we_have_not_is_told() -> None:
    found = read("supervisord.conf")

    assert set(notes(found, None)) == {
        "[rpcinterface:supervisor]",
        "[eventlistener:memmon]",
        "[group:shop] priority",
        "[include] /etc/supervisor/conf.d/*.conf",
        "[supervisord] minfds",
    }
    assert "autostart=false" in notes(found, "migrate")
    assert "stdout_logfile=/var/log/shop/gunicorn.log" in notes(found, "gunicorn")
    assert "broken" not in found.agents
    assert "cannot be split into words" in notes(found, "broken")["command"]
    assert "no such signal" in notes(found, "broken")["stopsignal"]


# ---- PM2 ----


def test_the_apps_of_pm2_become_agents() -> None:
    found = read("ecosystem.config.json", variant="production")

    assert list(found.agents) == ["api-0", "api-1", "mail-worker", "web", "report"]
    api = found.agents["api-1"]
    assert api["command"] == [
        "node",
        "--max-old-space-size=512",
        "--enable-source-maps",
        "./dist/server.js",
        "--port",
        "3000",
    ]
    assert api["environment"] == {
        "NODE_APP_INSTANCE": "1",
        "NODE_ENV": "production",
        "PORT": "3000",
        "TRACE": "true",
    }
    assert api["backoff"] == {"initial": "4000ms", "max": "4000ms", "factor": 1.0}
    assert (api["start_seconds"], api["stop_timeout"], api["start_timeout"]) == ("5s", "3000ms", "8000ms")
    assert (api["max_restarts"], api["on_give_up"]) == (15, "fail")
    assert "exec_mode" in notes(found, "api-0")
    assert "wait_ready" in notes(found, "api-0")
    assert notes(found, None) == {"deploy": "is not imported"}


def test_interpreters_arguments_and_ends_are_those_of_pm2() -> None:
    agents = read("ecosystem.config.json").agents

    assert agents["mail-worker"]["command"] == ["python3", "-u", "worker.py", "--queue", "mail out", "--verbose"]
    assert agents["mail-worker"]["directory"] == "/srv/here"
    assert agents["mail-worker"]["backoff"]["initial"] == "100ms"
    assert agents["mail-worker"]["labels"] == {"namespace": "jobs"}
    assert agents["web"]["command"] == ["npm", "run", "start"]
    assert agents["web"]["restart"] == "never"
    assert agents["report"]["command"] == ["bin/report"]


def test_a_value_that_is_not_valid_is_left_out_and_told() -> None:
    found = read("ecosystem.config.json")

    assert "start_seconds" not in found.agents["report"]
    assert "expected a number of seconds" in notes(found, "report")["min_uptime"]


def test_an_ecosystem_in_javascript_is_refused_with_what_to_do() -> None:
    with pytest.raises(InvalidInput, match="is not JSON") as caught:
        import_text("module.exports = {apps: []}", place("ecosystem.config.js"))

    assert "node -p" in str(caught.value.hint)


# ---- systemd ----


def test_a_service_of_systemd_becomes_an_agent() -> None:
    agent = dict(read("web.service").agents["web"])

    assert " ".join(agent["command"].split()) == '/srv/shop/bin/server --name web --config "/srv/shop/my config.yml"'
    assert agent["environment"] == {"GREETING": "hello world", "LANG": "C.UTF-8", "LOG_LEVEL": "info"}
    assert agent["environment_files"] == ["/etc/default/shop"]
    assert agent["directory"] == "/srv/shop"
    assert (agent["restart"], agent["max_restarts"], agent["period"], agent["on_give_up"]) == (
        "on-failure",
        5,
        "5m",
        "fail",
    )
    assert agent["backoff"] == {"initial": "2s500ms", "factor": 1.0, "max": "2s500ms", "jitter": 0.0}
    assert (agent["success_exit_codes"], agent["success_signals"]) == ([0, 143], ["SIGINT"])
    assert (agent["stop_signal"], agent["stop_timeout"]) == ("SIGINT", "1m30s")
    assert agent["readiness"] == {"notify": True}
    assert agent["liveness"]["interval"] == "20s"
    assert agent["limits"]["runtime"] == "12h"


def test_what_systemd_has_and_we_have_not_is_told() -> None:
    told = set(notes(read("web.service"), "web"))

    assert {
        "After=network-online.target postgresql.service",
        "ExecStartPre=/srv/shop/bin/check-config --quiet",
        "EnvironmentFile=-/etc/default/shop",
        "ProtectSystem=strict",
        "TimeoutStartSec=infinity",
        "StandardOutput=append:/var/log/shop.log",
    } <= told


@pytest.mark.parametrize(
    ("start", "command", "shell"),
    [
        ("/bin/a -x", "/bin/a -x", False),
        ("/bin/a $HOME ${PORT}", "exec /bin/a $HOME ${PORT}", True),
        ("/bin/a $$HOME", "/bin/a $HOME", False),
        ("-/bin/a", "/bin/a", False),
        ("+!!/bin/a", "/bin/a", False),
        ("@/bin/a called b", "/bin/a b", False),
        ("/bin/a\nExecStart=/bin/b", "/bin/a && /bin/b", True),
        ("/bin/a\nExecStart=\nExecStart=/bin/b", "/bin/b", False),
        ("/bin/%i --home %h", "/bin/x --home /home/somebody", False),
    ],
)
def test_the_ways_of_exec_start(start: str, command: str, shell: bool) -> None:
    agent = one(f"[Service]\nExecStart={start}\n", "web@x.service")

    assert (agent["command"], agent.get("shell", False)) == (command, shell)
    assert agent["restart"] == "never"


@pytest.mark.parametrize(
    ("line", "agent"),
    [
        ("Restart=always", {"restart": "always"}),
        ("Restart=on-abnormal", {"restart": "on-failure"}),
        ("Restart=on-success", {"restart": "never"}),
        ("Type=oneshot", {"restart": "never"}),
        ("TimeoutSec=5", {"stop_timeout": "5s", "start_timeout": "5s"}),
        ("Environment=A=1\nEnvironment=", {}),
    ],
)
def test_keys_of_systemd(line: str, agent: dict[str, Any]) -> None:
    assert {"restart": "never", "command": "/bin/a", **agent} == one(
        f"[Service]\nExecStart=/bin/a\n{line}\n", "a.service"
    )


# ---- all of them ----


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("x.conf", "not a section", "is not a configuration of supervisord"),
        ("x.json", "{}", "has no list of apps"),
        ("x.json", '{"apps": [1]}', "has no list of apps"),
        ("x.service", "[Unit]\nDescription=x\n", r"has no \[Service\] section"),
        ("x.service", "rubbish", "is not a unit of systemd"),
        ("x.yaml", "", "cannot be told from its name"),
    ],
)
def test_a_file_that_is_something_else_is_refused(name: str, text: str, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        import_text(text, place(name))


@given(name=st.sampled_from(sorted(FORMATS)), data=st.data())
def test_a_damaged_file_is_read_or_refused_and_what_is_read_is_valid(name: str, data: st.DataObject) -> None:
    file = {
        "procfile": "Procfile",
        "supervisord": "supervisord.conf",
        "pm2": "ecosystem.config.json",
        "systemd": "web.service",
    }[name]
    text = (FILES / file).read_text()
    at = data.draw(st.integers(0, len(text)))
    length = data.draw(st.integers(0, 40))
    damaged = text[:at] + data.draw(st.text(max_size=8)) + text[at + length :]
    try:
        found = import_text(damaged, place(file), name)
    except InvalidInput:
        return

    read_declaration({"agents": found.agents})


def test_only_what_is_a_key_is_one() -> None:
    assert is_key("command")
    assert is_key("backoff.max")
    assert is_key("readiness.notify")
    assert is_key("labels")
    assert not is_key("backoff.maximum")
    assert not is_key("comand")
    assert not is_key("command.x")
