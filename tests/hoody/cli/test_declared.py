"""``hoody apply`` and ``hoody export`` against a real daemon."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hoody.cli.plan_drawing import draw_plan
from hoody.declaration import read_declared
from hoody.toml_text import toml_text
from supervisor.errors import InvalidInput, NotFound

TWO = """
[daemon]
log_level = "info"

[agents.one]
command = ["sleep", "1000"]
start_seconds = "50ms"
directory = "sub"
environment = { TOKEN = "hunter2" }

[agents.two]
command = "sleep 1000"
start_seconds = "50ms"
"""


@pytest.fixture
def folder(hoody: Any) -> Iterator[Path]:
    (hoody.home / "sub").mkdir(exist_ok=True)
    yield hoody.home
    hoody.forget("one", "two", "three")


def test_a_file_is_applied_and_its_export_changes_nothing(hoody: Any, folder: Path) -> None:
    (folder / "two.toml").write_text(TWO)
    dry = hoody("apply", "-f", "two.toml", "--dry-run")
    assert dry.stdout == "+ one  create\n+ two  create\n2 to change, 0 as declared already\n"
    assert "[daemon] is only read from" in dry.stderr
    assert hoody.json("ps") == []

    assert "2 changed" in hoody("apply", "-f", "two.toml").stdout
    assert hoody("apply", "-f", "two.toml").stdout == "nothing to do: 2 as declared\n"
    exported = hoody("export").stdout
    one = hoody.json("inspect", "one")
    assert (one["spec"]["directory"], one["source"]) == (f"{folder}/sub", f"{folder}/two.toml")
    assert "hunter2" not in exported
    assert "hunter2" in hoody("export", "--reveal", "TOKEN").stdout
    again = hoody("apply", "-f", "-", "--source", f"{folder}/two.toml", "--prune", stdin=exported)
    assert again.stdout == "nothing to do: 2 as declared\n"
    assert json.loads(hoody("export", "-o", "json").stdout) == hoody.client.export()


def test_only_what_differs_is_touched_and_pruning_removes_what_is_gone(hoody: Any, folder: Path) -> None:
    file = folder / "some.toml"
    file.write_text(TWO)
    hoody("apply", "-f", str(file))
    hoody("wait", "one", "two", "--for", "running")
    pid = hoody.json("inspect", "one")["status"]["pid"]
    file.write_text(TWO.partition("[agents.two]")[0] + '[agents.one.labels]\nteam = "docs"\n')
    kept = hoody("apply", "-f", str(file), "-o", "json")
    assert [change["action"] for change in json.loads(kept.stdout)["changes"]] == ["replace"]
    again = hoody("apply", "-f", str(file))
    assert "not declared any more, and left alone: two; to remove them: --prune\n" in again.stderr
    pruned = hoody("apply", "-f", str(file), "--prune")

    assert pruned.stdout == "- two  removed\n1 changed, 1 as declared already\n"
    assert [unit["name"] for unit in hoody.json("ps")] == ["one"]
    assert hoody.json("inspect", "one")["status"]["pid"] == pid


PIPELINE = """
[groups.pipeline]
members = ["one", "two"]
strategy = "rest_for_one"
"""


def test_a_group_is_applied_with_its_agents_exported_and_pruned(hoody: Any, folder: Path) -> None:
    file = folder / "pipeline.toml"
    file.write_text(TWO + PIPELINE)
    applied = hoody("apply", "-f", str(file)).stdout
    exported = hoody("export").stdout
    again = hoody("apply", "-f", "-", "--source", str(file), "--prune", stdin=exported).stdout
    shown = hoody.json("groups", "show", "pipeline")
    file.write_text(TWO)
    left = hoody("apply", "-f", str(file)).stderr
    pruned = hoody("apply", "-f", str(file), "--prune").stdout

    assert applied.splitlines()[-2:] == ["+ groups/pipeline  created", "3 changed, 0 as declared already"]
    assert PIPELINE.lstrip() in exported
    assert again == "nothing to do: 3 as declared\n"
    assert (shown["source"], shown["spec"]["members"]) == (str(file), ["one", "two"])
    assert "left alone: groups/pipeline; to remove" in left
    assert pruned == "- groups/pipeline  removed\n1 changed, 2 as declared already\n"
    assert {unit["name"] for unit in hoody.json("ps")} == {"one", "two"}


def test_a_person_is_asked_before_something_is_removed(hoody: Any, folder: Path) -> None:
    file = folder / "asked.toml"
    file.write_text(TWO)
    hoody("apply", "-f", str(file))
    file.write_text("")
    code, shown = hoody.on_terminal("apply", "-f", str(file), "--prune", typed="n\n")

    assert code == 1
    assert "stop and forget one, two?" in shown
    assert len(hoody.json("ps")) == 2
    code, shown = hoody.on_terminal("apply", "-f", str(file), "--prune", typed="y\n")
    assert code == 0
    assert hoody.json("ps") == []


def test_every_fault_of_a_file_is_told_and_nothing_is_done(hoody: Any, folder: Path) -> None:
    (folder / "bad.toml").write_text('[agents.one]\ncomand = "x"\n[agents.two]\ncommand = "x"\nrestart = "sometimes"\n')
    result = hoody("apply", "-f", "bad.toml", expect=2)

    assert "agents.one.comand: there is no such key; did you mean 'command'?" in result.stderr
    assert "agents.two.restart" in result.stderr
    assert hoody.json("ps") == []


def test_the_daemons_own_file_is_what_is_applied_without_a_name(hoody: Any, folder: Path) -> None:
    hoody("apply", expect=3)
    (folder / "hoody.toml").write_text(TWO)
    result = hoody("apply")
    (folder / "hoody.toml").unlink()

    assert "2 changed" in result.stdout
    assert result.stderr == ""


def test_a_folder_is_merged_and_a_name_is_declared_once(tmp_path: Path) -> None:
    (tmp_path / "b.toml").write_text('[agents.b]\ncommand = "b"\ndirectory = "."\n')
    (tmp_path / "a.toml").write_text('[agents.a]\ncommand = "a"\ndirectory = "~/x"\n')
    (tmp_path / ".hidden.toml").write_text("rubbish")
    (tmp_path / "notes.txt").write_text("rubbish")
    found = read_declared(str(tmp_path))

    assert found.source == str(tmp_path)
    assert found.document == {
        "agents": {
            "a": {"command": "a", "directory": "~/x"},
            "b": {"command": "b", "directory": str(tmp_path)},
        }
    }
    (tmp_path / "c.toml").write_text('[agents.b]\ncommand = "c"\n')
    with pytest.raises(InvalidInput, match=r"is declared in .*b\.toml and in .*c\.toml"):
        read_declared(str(tmp_path))


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("x.toml", b"agents = [", "is not TOML"),
        ("x.toml", b"\xff", "is not UTF-8"),
        ("x.json", b"{", "is not JSON"),
        ("x.json", b"[]", "does not hold a JSON object"),
    ],
)
def test_what_is_no_document_is_told_by_its_name(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    (tmp_path / name).write_bytes(content)

    with pytest.raises(InvalidInput, match=words):
        read_declared(str(tmp_path / name))


def test_what_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="there is no file"):
        read_declared(str(tmp_path / "none.toml"))
    with pytest.raises(NotFound, match=r"there is no .toml file"):
        read_declared(str(tmp_path))


def test_json_is_read_as_well(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text('{"agents": {"a": {"command": "a"}}}')

    assert read_declared(str(tmp_path / "x.json")).document == {"agents": {"a": {"command": "a"}}}


def test_a_plan_is_drawn_with_what_differs() -> None:
    keys = [
        {"key": "backoff.max", "before": "60s", "after": "30s"},
        {"key": "environment.KEY", "before": "***", "after": "***"},
        {"key": "labels.a", "before": None, "after": "b\x1b[0m"},
        {"key": "directory", "before": "/srv", "after": None},
    ]
    changes: list[Any] = [
        {"action": "replace", "kind": "agent", "name": "web", "restart": True, "keys": keys, "error": None},
        {"action": "delete", "kind": "agent", "name": "old", "restart": False, "keys": [], "error": "it is stuck"},
        {"action": "unchanged", "kind": "agent", "name": "api", "restart": False, "keys": [], "error": None},
    ]

    assert list(draw_plan({"applied": True, "changes": changes, "left": []}, colours=False)) == [
        "~ web  changed, restarted",
        "    backoff.max: 60s -> 30s",
        "    environment.KEY: another value",
        r"    labels.a: b\x1b[0m (new)",
        "    directory: /srv (gone)",
        "- old  not removed: it is stuck",
        "2 changed, 1 as declared already",
    ]
    assert next(draw_plan({"applied": True, "changes": changes, "left": []}, colours=True)).startswith("\x1b[33m~ web")


def test_a_document_written_as_toml_is_the_same_document() -> None:
    import tomllib

    agent = {"command": ["a", 'b"c'] * 30, "shell": False, "environment": {"A B": "x\ny"}, "backoff": {"factor": 2.5}}
    document = {"agents": {"web": agent, "odd.name": {"command": "two\nlines \\ and 'quotes'\t"}}}
    text = toml_text(document, notes={"web": ("a note",)})

    assert tomllib.loads(text) == document
    assert "# a note\n" in text
    assert toml_text({"agents": {}}) == ""


def test_a_hangup_applies_the_daemons_own_file_and_removes_nothing(hoody: Any, folder: Path) -> None:
    pid = hoody.json("status")["pid"]
    own = folder / "hoody.toml"
    own.write_text(TWO)
    os.kill(pid, signal.SIGHUP)
    eventually(lambda: len(hoody.client.agents.list()) == 2)
    own.write_text('[agents.one]\ncomand = "x"\n')
    os.kill(pid, signal.SIGHUP)
    eventually(lambda: "agents.one.comand: there is no such key" in hoody("daemon", "logs").stdout)
    own.write_text('[agents.three]\ncommand = ["sleep", "1000"]\n')
    os.kill(pid, signal.SIGHUP)
    eventually(lambda: len(hoody.client.agents.list()) == 3)
    own.unlink()

    assert {unit["source"] for unit in hoody.client.agents.list()} == {str(own)}


def eventually(look: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not look():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize(("words", "begin"), [((), "{"), (("openapi",), "{"), (("docs",), "<!doctype html>")])
def test_schemas_are_printed_without_a_daemon(shell: Any, words: tuple[str, ...], begin: str) -> None:
    shown = shell("schema", *words).stdout

    assert shown.startswith(begin)
    assert begin != "{" or json.loads(shown)


def test_an_imported_file_is_printed_with_what_could_not_be_carried_over_and_applied(hoody: Any, folder: Path) -> None:
    (folder / "Procfile").write_text("one: sleep 1000\ntwo: exec sleep 1000 # for long\nnonsense\n")
    shown = hoody("import", "Procfile")

    assert shown.stdout.startswith("# not carried over: line 3: is not 'name: command'\n[agents.one]\n")
    assert shown.stderr == "not carried over: line 3: is not 'name: command'\n"
    assert "2 changed" in hoody("apply", "-f", "-", stdin=shown.stdout).stdout
    hoody("wait", "one", "two", "--for", "running")
    exported = json.loads(hoody("export", "--source", "stdin", "-o", "json").stdout)
    assert exported == {**json.loads(hoody("import", "Procfile", "-o", "json").stdout), "groups": {}}
    assert "there is no file" in hoody("import", "none.conf", expect=3).stderr
    assert "--format" in hoody("import", "two.toml", expect=2).stderr
