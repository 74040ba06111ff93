"""What the command line says when it is used wrongly, and when there is no daemon."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from typing import Any

import pytest

from hoody.cli.commands.version import version
from hoody.cli.entry import drive, run
from hoody.version import __version__


def test_the_version_is_told(shell: Any) -> None:
    assert shell("--version").stdout == f"hoody {__version__}\n"
    assert shell("version").stdout.startswith(f"hoody {__version__} (Python ")
    assert json.loads(shell("version", "-o", "json").stdout)["version"] == __version__


@pytest.mark.parametrize(
    "words",
    [["status"], ["ps", "--json"], ["inspect", "web"], ["stop", "web"], ["rm", "*", "-y"], ["logs", "web"], ["tree"]],
)
def test_without_a_daemon_there_is_one_sentence_a_hint_and_exit_4(shell: Any, words: list[str]) -> None:
    result = shell(*words, expect=4)

    assert result.stdout == ""
    error, hint = result.stderr.splitlines()
    assert error.startswith("error: no daemon is running")
    assert hint == "hint: start it with: hoody up"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["stat"], "No such command 'stat'"),
        (["stop"], "Missing argument 'NAME...'"),
        (["stop", "web", "--tiemout", "3"], "'--timeout'"),
        (["stop", "web", "--timeout", "soon"], "expected a number of seconds"),
        (["signal", "NOPE", "web"], "no such signal: 'NOPE'"),
        (["run", "--label", "x", "--", "true"], "expected KEY=VALUE"),
        (["run"], "Missing argument 'COMMAND...'"),
        (["run", "--shell", "--", "a", "b"], "--shell takes the command as one string"),
        (["logs", "web", "--tail", "many"], "expected a number of lines or 'all'"),
        (["stop", ""], "cannot be empty"),
        (["ps", "-o", "yaml"], "'yaml' is not one of"),
        (["agents", "lst"], "Did you mean 'list'?"),
    ],
)
def test_wrong_usage_is_exit_2_with_a_sentence_and_a_hint(shell: Any, words: list[str], sentence: str) -> None:
    result = shell(*words, expect=2)

    assert result.stdout == ""
    error, *hints = result.stderr.splitlines()
    assert error.startswith("error: ")
    assert sentence in error
    assert len(hints) == 1
    assert hints[0].startswith("hint: ")


def test_no_words_at_all_print_the_help_and_are_wrong_usage(shell: Any) -> None:
    result = shell(expect=2)

    assert result.stdout == ""
    assert result.stderr.startswith("Usage: hoody [OPTIONS] COMMAND")


def test_an_address_on_another_machine_is_refused(shell: Any) -> None:
    result = shell("ps", expect=2, HOODY_URL="http://example.org:80")

    assert "is not the address of a daemon on this machine" in result.stderr


def test_a_reader_that_goes_away_is_no_failure(shell: Any) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    process = shell.begin("--help", stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)

    assert process.communicate(timeout=30) == (None, b"")
    assert process.returncode == 0


def test_output_that_the_terminal_cannot_show_is_escaped(shell: Any) -> None:
    result = shell("inspect", "é", expect=4, PYTHONIOENCODING="ascii", PYTHONUTF8="0", LC_ALL="C")

    assert result.stdout == ""


def test_a_defect_is_told_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(**_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(version, "callback", broken)
    monkeypatch.delenv("HOODY_DEBUG", raising=False)

    assert run(["version"]) == 1
    assert capsys.readouterr().err.startswith("error: RuntimeError: a bug\nhint: this is a defect in hoody")


def test_whoever_wants_the_traceback_gets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(**_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(version, "callback", broken)
    monkeypatch.setenv("HOODY_DEBUG", "1")

    with pytest.raises(RuntimeError, match="a bug"):
        run(["version"])


def test_an_interrupt_is_exit_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(**_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(version, "callback", interrupted)

    assert run(["version"]) == 130


def test_a_command_that_would_need_an_event_loop_is_a_defect() -> None:
    class Suspends:
        def __await__(self) -> Any:
            yield

    async def waits() -> None:
        await Suspends()

    with pytest.raises(RuntimeError, match="waited for an event loop"):
        drive(waits())


def test_without_a_daemon_nothing_is_completed_and_nothing_is_said(shell: Any) -> None:
    result = shell(_HOODY_COMPLETE="bash_complete", COMP_WORDS="hoody stop ", COMP_CWORD="2")

    assert (result.stdout.strip(), result.stderr) == ("", "")


def test_commands_are_completed_without_a_daemon(shell: Any) -> None:
    result = shell(_HOODY_COMPLETE="bash_complete", COMP_WORDS="hoody sta", COMP_CWORD="1")

    assert result.stdout.splitlines() == ["plain,status", "plain,start"]


@pytest.mark.parametrize("name", ["bash", "zsh", "fish"])
def test_the_script_for_a_shell_is_printed_and_that_shell_reads_it(shell: Any, name: str) -> None:
    import shutil

    script = shell("completion", name).stdout

    assert "_HOODY_COMPLETE" in script
    if shutil.which(name):
        subprocess.run([name, "-n"], input=script, text=True, check=True, timeout=30)


def test_the_daemons_log_is_read_from_its_file(shell: Any) -> None:
    folder = shell.home / "state" / "logs"
    folder.mkdir(parents=True)
    entry = {"time": "2026-01-01T00:00:00Z", "level": "info", "logger": "x", "message": "a\x1b[2Jb", "unit": "web"}
    (folder / "daemon.log").write_text("not json\n" + json.dumps(entry) + "\n")

    assert shell("daemon", "logs", "--tail", "1").stdout == "2026-01-01T00:00:00Z  INFO     a\\x1b[2Jb  unit=web\n"
    assert shell("daemon", "logs", "-n", "all").stdout.startswith("not json\n")
    assert json.loads(shell("daemon", "logs", "-n", "1", "--json").stdout) == entry


def test_the_daemons_log_is_followed_until_interrupted(shell: Any) -> None:
    folder = shell.home / "state" / "logs"
    folder.mkdir(parents=True)
    (folder / "daemon.log").write_text("first\n")
    process = shell.begin("daemon", "logs", "-f", stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    assert process.stdout.readline() == b"first\n"
    with (folder / "daemon.log").open("a") as file:
        file.write("second\n")
    assert process.stdout.readline() == b"second\n"
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=30) == (b"", b"")
    assert process.returncode == 130


def test_a_missing_log_is_told(shell: Any) -> None:
    assert "there is no log at" in shell("daemon", "logs", expect=3).stderr
