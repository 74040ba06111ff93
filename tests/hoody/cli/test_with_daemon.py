"""The command line against a real daemon and real programs: what it does, prints and exits with."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

STUBBORN = "trap '' TERM; while :; do sleep 0.1; done"


def eventually(look: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + 20
    while not (found := look()):
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.02)
    return found


def sleeper(hoody: Any, name: str, command: tuple[str, ...] = ("sleep", "1000")) -> None:
    """Have an agent run, without going through the command line."""
    hoody.client.agents.create(name, command, start=False, start_seconds="50ms")
    hoody.client.agents.start(name, wait=True)


def test_status_tells_where_the_daemon_is_and_how_it_is(hoody: Any) -> None:
    status = hoody.json("status")
    shown = hoody("status").stdout

    assert status["url"] in shown
    assert f"pid {status['pid']}" in shown
    assert f"token          {hoody.home}/state/token" in shown
    assert Path(f"/proc/{status['pid']}").exists()


def test_a_second_up_finds_the_first(hoody: Any) -> None:
    pid = hoody.json("status")["pid"]

    assert hoody("up").stdout.startswith("the daemon runs already: http://127.0.0.1:")
    assert hoody.json("status")["pid"] == pid


def test_what_is_run_is_listed_shown_and_removed(hoody: Any) -> None:
    flags = ["--label", "a=b", "--env", "SECRET=hunter2", "--start-seconds", "50ms"]
    hoody("run", "--name", "first", *flags, "--", "sleep", "1000")
    unit = hoody.json("inspect", "first")
    row = next(line for line in hoody("ps").stdout.splitlines() if line.startswith("first "))

    assert unit["status"]["state"] == "RUNNING"
    assert row.split()[:4] == ["first", "RUNNING", "-", str(unit["status"]["pid"])]
    assert row.endswith("sleep 1000")
    assert [found["name"] for found in hoody.json("ps", "-l", "a=b")] == ["first"]
    assert hoody.json("ps", "first") == [unit]
    assert "hunter2" not in hoody("inspect", "first").stdout + hoody("inspect", "first", "--json").stdout
    assert "SECRET=hunter2" in hoody("inspect", "first", "--reveal", "SECRET").stdout

    refused = hoody("rm", "first", "-y", expect=1)
    assert "hoody rm first --force" in refused.stderr
    assert hoody("rm", "first", "--force").stdout == "first: removed\n"
    assert hoody("inspect", "first", expect=3).stdout == ""
    assert not Path(f"/proc/{unit['status']['pid']}").exists()


def test_an_agent_runs_where_and_with_what_the_user_says(hoody: Any) -> None:
    (hoody.home / "vars").write_text("FROM_FILE=yes\n")
    script = 'echo "$PWD $FROM_FILE $GIVEN $TAKEN"; sleep 1000'
    flags = ["--env-file", "vars", "-e", "GIVEN=a=b", "-e", "TAKEN", "--shell", "--start-seconds", "50ms"]
    hoody("run", "--name", "where", *flags, "--", script, TAKEN="here")

    assert eventually(lambda: hoody("logs", "where").stdout, "a line") == f"{hoody.home} yes a=b here\n"
    hoody.forget("where")


def test_a_name_is_made_where_none_is_given(hoody: Any) -> None:
    names = [hoody("run", "-q", "--start-seconds", "50ms", "sleep", "1000").stdout.strip() for _ in range(2)]

    assert names == ["sleep", "sleep-2"]
    assert hoody("rm", "sleep*", "--force", "-q").stdout.split() == names


def test_several_names_and_globs_are_acted_on_together(hoody: Any) -> None:
    for name in ("many-1", "many-2", "lone"):
        sleeper(hoody, name)

    assert hoody("stop", "many-*", "lone").stdout == "many-1: STOPPED\nmany-2: STOPPED\nlone: STOPPED\n"
    assert [unit["status"]["state"] for unit in hoody.json("start", "many-*")] == ["RUNNING", "RUNNING"]
    assert hoody("stop", "lone").stdout == "lone: STOPPED\n"
    assert hoody("restart", "many-?", "-o", "name").stdout == "many-1\nmany-2\n"
    mixed = hoody("stop", "many-1", "mny-2", expect=3)
    assert mixed.stdout == "many-1: STOPPED\n"
    assert "error: mny-2: " in mixed.stderr
    assert "many-2" in mixed.stderr
    nothing = hoody("stop", "many-2", "nothing*", expect=3)
    assert "no agent matches 'nothing*'" in nothing.stderr
    assert hoody.json("inspect", "many-2")["status"]["state"] == "RUNNING"
    hoody.forget("many-*", "lone")


def test_agents_are_acted_on_by_their_labels(hoody: Any) -> None:
    for name, tier in (("by-1", "web"), ("by-2", "api"), ("by-3", "old")):
        hoody.client.agents.create(name, ["sleep", "1000"], labels={"tier": tier}, start_seconds="0")

    assert hoody("stop", "--selector", "tier in (web, api)", "-q").stdout.split() == ["by-1", "by-2"]
    assert hoody("ps", "--selector", "tier,tier!=web", "-q").stdout.split() == ["by-2", "by-3"]
    assert "no agent matches 'tier=none'" in hoody("stop", "--selector", "tier=none", expect=3).stderr
    assert "is not a selector" in hoody("stop", "--selector", "=", expect=2).stderr
    hoody("stop", expect=2)
    hoody.forget("by-*")


def test_many_stop_at_the_same_time(hoody: Any) -> None:
    for number in range(12):
        hoody.client.agents.create(f"slow-{number}", STUBBORN, shell=True, stop_timeout="1s", start_seconds="0")
    time.sleep(0.3)  # until the shells ignore TERM
    began = time.monotonic()
    hoody("stop", "slow-*")

    assert 0.8 < time.monotonic() - began < 10, "one after the other takes 12 s"
    hoody.forget("slow-*")


def test_a_killed_agent_is_back_and_says_so(hoody: Any) -> None:
    sleeper(hoody, "phoenix")
    pid = hoody.client.agents.get("phoenix")["status"]["pid"]
    hoody("signal", "KILL", "phoenix")

    def back() -> Any:
        status = hoody.client.agents.get("phoenix")["status"]
        return status if status["state"] == "RUNNING" and status["pid"] != pid else None

    status = eventually(back, "phoenix to be back")
    assert (status["restarts"], status["exit"]["signal"]) == (1, "KILL")
    assert "signal KILL" in hoody("inspect", "phoenix").stdout
    hoody.forget("phoenix")


def test_a_program_that_is_not_there_is_told_in_words(hoody: Any) -> None:
    result = hoody("run", "--name", "ghost", "--", "no-such-program-here", expect=1)

    assert "no-such-program-here" in result.stderr
    assert "hint: " in result.stderr
    hoody.forget("ghost")


def test_a_name_that_is_taken_is_refused_with_what_to_do(hoody: Any) -> None:
    sleeper(hoody, "taken")
    result = hoody("run", "--name", "taken", "--", "true", expect=1)

    assert "hoody start taken" in result.stderr
    hoody.forget("taken")


@pytest.mark.parametrize("name", ["a/b", "..", ".", "a b", "ä", "x" * 300, "-x"])
def test_a_name_that_none_may_have_is_refused_and_nothing_is_left(hoody: Any, name: str) -> None:
    assert hoody("run", f"--name={name}", "--", "true", expect=2).stdout == ""
    asked = hoody("inspect", "--", name, expect=None)
    assert (asked.returncode, asked.stdout) == (2 if "/" in name else 3, "")


def test_every_fault_of_a_definition_is_told_at_once(hoody: Any) -> None:
    result = hoody("run", "--name", "x", "--backoff-factor", "0.5", "--max-restarts=-1", "--", "true", expect=2)

    assert "factor" in result.stderr
    assert "max_restarts" in result.stderr
    assert hoody("inspect", "x", expect=3)


@pytest.mark.parametrize(
    ("script", "goal", "code"),
    [("exit 7", "stopped", 7), ("exit 0", "exited", 0), ("kill -9 $$", "stopped", 128 + signal.SIGKILL)],
)
def test_a_wait_gives_the_code_of_the_program(hoody: Any, script: str, goal: str, code: int) -> None:
    flags = ["--restart", "never", "--start-seconds", "0", "--shell"]
    hoody("run", "--name", "job", *flags, "--no-wait", "--", f"sleep 0.2; {script}")

    assert hoody("wait", "job", "--for", goal, "--timeout", "20s", expect=code).stdout.startswith("job: ")
    hoody.forget("job")


def test_a_job_that_does_its_work_at_once_is_no_failure(hoody: Any) -> None:
    hoody("run", "--name", "quick", "--restart", "never", "--", "true")

    assert hoody.json("inspect", "quick")["status"]["state"] == "EXITED"
    hoody.forget("quick")


def test_a_wait_that_takes_too_long_is_exit_6(hoody: Any) -> None:
    sleeper(hoody, "endless")

    assert "are not stopped: endless" in hoody("wait", "endless", "--timeout", "200ms", expect=6).stderr
    assert hoody("wait", "endless", "--for", "running").stdout == "endless: RUNNING\n"
    assert hoody("stop", "endless", "--timeout", "0", expect=6).stdout == ""
    hoody.forget("endless")


def test_an_interrupted_wait_is_exit_130_and_silent(hoody: Any) -> None:
    sleeper(hoody, "forever")
    process = hoody.begin("wait", "forever", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    eventually(lambda: _talks(process.pid), "the command to talk to the daemon")
    process.send_signal(signal.SIGINT)

    assert process.communicate(timeout=20) == (b"", b"")
    assert process.returncode == 130
    hoody.forget("forever")


def _talks(pid: int) -> bool:
    """Tell whether a command is past its imports: it has loaded what it talks to the daemon with."""
    return "_socket" in Path(f"/proc/{pid}/maps").read_text()


def test_a_reader_that_has_seen_enough_is_no_failure(hoody: Any) -> None:
    sleeper(hoody, "pipe")
    reading, writing = os.pipe()
    os.close(reading)
    for words in (["ps"], ["ps", "--json"], ["logs", "pipe"], ["status"]):
        process = hoody.begin(*words, stdout=writing, stderr=subprocess.PIPE)
        assert (process.communicate(timeout=20)[1], process.returncode) == (b"", 0)
    os.close(writing)
    hoody.forget("pipe")


def test_what_an_agent_prints_cannot_act_on_the_terminal(hoody: Any) -> None:
    script = r"printf '\033]0;owned\007\033[31mred\033[0m\nbytes \377\n'; printf 'err\n' >&2; exec sleep 1000"
    hoody("run", "--name", "hostile", "--start-seconds", "50ms", "--shell", "--", script)
    eventually(lambda: "bytes" in hoody("logs", "hostile", "--stream", "stdout").stdout, "the output")

    shown = hoody("logs", "hostile", "--stream", "stdout").stdout
    assert shown == "\\x1b]0;owned\\x07red\nbytes \ufffd\n"
    raw = subprocess.run(
        [*hoody.program, "logs", "hostile", "--raw", "--stream", "stdout"],
        env=hoody.environment,
        capture_output=True,
        check=True,
    )
    assert raw.stdout == b"\x1b]0;owned\x07\x1b[31mred\x1b[0m\nbytes \xff\n"
    assert hoody("logs", "hostile", "--stream", "stderr").stdout == "err\n"
    assert "\x1b" not in hoody.on_terminal("ps", "-o", "wide", NO_COLOR="1")[1]
    hoody.forget("hostile")


def test_the_last_lines_of_several_agents_carry_their_names(hoody: Any) -> None:
    for name in ("say-a", "say-bb"):
        hoody(
            "run", "--name", name, "--start-seconds", "50ms", "--shell", "--", "echo 1; echo 2; echo 3; exec sleep 1000"
        )
        eventually(lambda name=name: "3" in hoody("logs", name).stdout, "the output")

    shown = hoody("logs", "say-*", "--tail", "4").stdout
    assert shown == "say-a  | 3\nsay-bb | 1\nsay-bb | 2\nsay-bb | 3\n", "the last of all together"
    assert hoody("logs", "say-a", "-n", "2", "--no-prefix").stdout == "2\n3\n"
    hoody.forget("say-*")


def test_json_is_all_that_is_on_stdout(hoody: Any) -> None:
    sleeper(hoody, "json")

    assert isinstance(json.loads(hoody("ps", "json", "-o", "json").stdout), list)
    assert isinstance(json.loads(hoody("inspect", "json", "-o", "json").stdout), dict)
    assert isinstance(json.loads(hoody("inspect", "json*", "-o", "json").stdout), list)
    assert [json.loads(line)["name"] for line in hoody("ps", "json", "-o", "jsonl").stdout.splitlines()] == ["json"]
    for words in (["status"], ["health"], ["tree"], ["stop", "json"], ["start", "json"], ["restart", "json"]):
        json.loads(hoody(*words, "--json").stdout)
    failed = hoody("inspect", "nobody", "-o", "json", expect=3)
    assert (failed.stdout, failed.stderr[:7]) == ("", "error: ")
    hoody.forget("json")


def test_colours_are_for_terminals_that_want_them(hoody: Any) -> None:
    sleeper(hoody, "bright")

    assert "\x1b[32mRUNNING" in hoody.on_terminal("ps", "bright")[1]
    assert "\x1b" not in hoody.on_terminal("ps", "bright", NO_COLOR="1")[1]
    assert "\x1b" not in hoody.on_terminal("ps", "bright", TERM="dumb")[1]
    assert "\x1b" not in hoody("ps", "bright").stdout
    hoody.forget("bright")


def test_a_table_keeps_to_the_terminal_and_is_whole_in_a_pipe(hoody: Any) -> None:
    long = "x" * 300
    sleeper(hoody, "wide", command=("sh", "-c", "sleep 1000", long))
    code, shown = hoody.on_terminal("ps", "wide", columns=90, NO_COLOR="1")

    assert code == 0
    assert max(map(len, shown.splitlines())) == 90
    assert shown.splitlines()[1].endswith("…")
    assert long in hoody("ps", "wide").stdout
    hoody.forget("wide")


def test_a_stop_that_takes_long_says_on_a_terminal_what_it_waits_for(hoody: Any) -> None:
    hoody("run", "--name", "mule", "--stop-timeout", "2500ms", "--start-seconds", "300ms", "--shell", "--", STUBBORN)
    code, shown = hoody.on_terminal("stop", "mule", NO_COLOR="1")

    assert code == 0
    assert re.search(r"waiting for stop of mule \(\ds\); mule is STOPPING: \S", shown), shown
    assert shown.endswith("mule: STOPPED\n")
    hoody.forget("mule")


@pytest.mark.parametrize(("typed", "code"), [("n\n", 2), ("\n", 2), ("y\n", 0)])
def test_what_cannot_be_undone_is_asked_on_a_terminal(hoody: Any, typed: str, code: int) -> None:
    sleeper(hoody, "precious")
    found, shown = hoody.on_terminal("rm", "precious", "--force", typed=typed)

    assert found == code
    assert "forget precious? [y/N]" in shown
    hoody("inspect", "precious", expect=3 if code == 0 else 0)
    hoody("rm", "precious", "--force", expect=None)


def test_a_rotated_token_is_taken_up_by_the_next_command(hoody: Any) -> None:
    before = hoody("token", "show").stdout
    hoody("token", "rotate")

    assert hoody("token", "show").stdout != before
    hoody("ps")
    refused = hoody("ps", expect=5, HOODY_TOKEN=before.strip())
    assert refused.stdout == ""


def test_health_is_the_exit_code(hoody: Any) -> None:
    assert hoody("health").stdout.startswith("healthy\n")
    hoody("run", "--name", "ill", "--no-wait", "--backoff-initial", "10s", "--backoff-max", "10s", "--", "false")
    eventually(lambda: hoody.client.agents.get("ill")["status"]["state"] == "BACKOFF", "ill to fail")

    result = hoody("health", expect=1)
    assert "ill" in result.stdout
    hoody.forget("ill")
    hoody("health")


def test_the_tree_shows_the_daemon_and_its_agents(hoody: Any) -> None:
    sleeper(hoody, "leaf")
    drawn = hoody("tree", PYTHONIOENCODING="utf-8").stdout

    assert drawn.splitlines()[0].startswith("hoody  [supervisor")
    assert re.search(r"^[│├└─ ]+\S*leaf  \[agent\]  RUNNING$", drawn, re.MULTILINE), drawn
    assert all(line.isascii() for line in hoody("tree", PYTHONIOENCODING="ascii").stdout.splitlines())
    hoody.forget("leaf")


def test_names_are_completed(hoody: Any) -> None:
    sleeper(hoody, "tab-1")
    result = hoody(_HOODY_COMPLETE="bash_complete", COMP_WORDS="hoody stop ta", COMP_CWORD="2")

    assert result.stdout.split() == ["plain,tab-1"]
    hoody.forget("tab-1")


def test_an_agent_can_be_defined_without_being_started(hoody: Any) -> None:
    hoody("agents", "create", "--name", "later", "--", "sleep", "1000")

    assert hoody.json("inspect", "later")["status"]["state"] == "STOPPED"
    assert hoody("agents", "list", "later", "-q").stdout == "later\n"
    hoody("agents", "rm", "later")


@pytest.mark.parametrize("words", [["status"], ["ps"], ["ps", "-o", "json"], ["inspect", "light"], ["stop", "light"]])
def test_a_command_that_asks_once_imports_nothing_heavy(hoody: Any, heavy: set[str], words: list[str]) -> None:
    hoody("agents", "create", "--name", "light", "--", "true", expect=None)
    show = "import sys; print(*sys.modules, file=sys.stderr)"
    script = f"from hoody.cli.entry import run; code = run({words!r}); {show}; sys.exit(code)"
    bare, found = (
        subprocess.run([sys.executable, "-c", code], env=hoody.environment, capture_output=True, text=True, check=True)
        for code in (show, script)
    )

    assert not sorted((set(found.stderr.split()) - set(bare.stderr.split())) & heavy)


def test_the_blocking_client_does_the_same(hoody: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from hoody import Client
    from supervisor.errors import NotFound, RevisionMismatch

    monkeypatch.setenv("HOODY_HOME", str(hoody.home))
    agents = Client().agents
    made = agents.create("api", ["sleep", "1000"], start_seconds="50ms", labels={"a": "b"})

    assert agents.start("api", wait=True)["status"]["state"] == "RUNNING"
    changed = agents.patch("api", {"max_restarts": 3}, revision=made["revision"])
    assert changed["spec"]["max_restarts"] == 3
    with pytest.raises(RevisionMismatch):
        agents.patch("api", {"max_restarts": 4}, revision=made["revision"])
    replaced = agents.replace("api", {"name": "api", "command": ["sleep", "999"], "start_seconds": "50ms"})
    assert replaced["spec"]["command"] == ["sleep", "999"]
    assert agents.stop("api", wait=True)["status"]["state"] == "STOPPED"
    assert [unit["name"] for unit in agents.list(states=["STOPPED"]) if unit["name"] == "api"] == ["api"]
    agents.delete("api")
    with pytest.raises(NotFound):
        agents.get("api")


async def test_the_trio_client_does_the_same(hoody: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from hoody import AsyncClient

    monkeypatch.setenv("HOODY_HOME", str(hoody.home))
    client = AsyncClient()
    await client.agents.create("trio", ["sleep", "1000"], start=False)

    assert (await client.agents.get("trio"))["status"]["state"] == "STOPPED"
    assert (await client.status())["pid"] == hoody.json("status")["pid"]
    assert (await client.tree())["id"] == "hoody"
    assert (await client.health())["status"] in {"healthy", "degraded", "unhealthy"}
    assert "trio" in [unit["name"] for unit in await client.agents.list()]
    await client.agents.delete("trio")
