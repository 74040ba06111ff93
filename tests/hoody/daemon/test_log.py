"""The daemon's log: whole lines, private, rotated, and never in the way of what it tells about."""

from __future__ import annotations

import io
import json
import logging
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hoody.daemon import log as log_module
from hoody.daemon.log import DaemonLog, to_json, to_text
from hoody.daemon.logfile import RotatingFile
from hoody.daemon.observe import log_event
from supervisor.runtime.reasons import NORMAL, Cancelled, Crashed
from supervisor.runtime.telemetry import (
    ChildEnded,
    ChildGaveUp,
    ChildStarted,
    ChildUnstoppable,
    CleanupFailed,
    DeadLetter,
    Event,
    HandlerDetached,
    RestartScheduled,
    TreeStuck,
)


def record(message: str, *args: object, level: int = logging.INFO, **extra: object) -> logging.LogRecord:
    fields = {"name": "hoody.test", "levelno": level, "levelname": logging.getLevelName(level), "msg": message}
    return logging.makeLogRecord({**fields, "args": args, "created": 1_900_000_000.25, **extra})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "daemon.log"


@pytest.fixture(autouse=True)
def root_logger() -> Iterator[None]:
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    yield
    root.setLevel(level)
    root.handlers[:] = handlers


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_line_is_one_object_with_time_level_logger_message_and_extra() -> None:
    assert json.loads(to_json(record("unit %s is %s", "web", "up", unit="web", pid=7, nothing=None))) == {
        "time": "2030-03-17T17:46:40.250Z",
        "level": "info",
        "logger": "hoody.test",
        "message": "unit web is up",
        "unit": "web",
        "pid": 7,
    }


def test_an_exception_is_told_with_its_traceback_in_the_same_line(path: Path) -> None:
    log = DaemonLog(path, level=logging.INFO)
    log.open()
    try:
        raise ZeroDivisionError("the reason")  # noqa: TRY301
    except ZeroDivisionError:
        logging.getLogger("hoody.test").exception("it failed")
    log.close()

    (line,) = lines(path)
    assert line["message"] == "it failed"
    assert "ZeroDivisionError: the reason" in line["traceback"]


@given(st.text(), st.dictionaries(st.text(min_size=1), st.text() | st.binary() | st.floats() | st.none(), max_size=3))
def test_whatever_is_logged_stays_one_line_of_json(message: str, extra: dict[str, Any]) -> None:
    logged = record("%s", message, **{f"x_{key}": value for key, value in extra.items()})

    text = to_json(logged)

    assert "\n" not in text
    assert json.loads(text)["message"] == message


@given(st.text())
def test_no_control_character_reaches_the_terminal(message: str) -> None:
    assert to_text(record("%s", message)).isprintable()


def test_a_terminal_gets_text_and_a_pipe_gets_json(path: Path) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    for stream in (Terminal(), io.StringIO()):
        log = DaemonLog(path, level=logging.INFO, stderr=stream)
        log.open()
        logging.getLogger("hoody.test").info("hello", extra={"unit": "web"})
        log.close()

        shown = stream.getvalue()
        if stream.isatty():
            assert shown.endswith(" info    hello unit=web\n")
        else:
            assert json.loads(shown)["unit"] == "web"


def test_a_terminal_that_goes_away_does_not_stop_the_file(path: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as stream:
        log = DaemonLog(path, level=logging.INFO, stderr=stream)
        log.open()
        for number in range(3):
            logging.getLogger("hoody.test").info("line %d", number)
        log.close()
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())

    assert [line["message"] for line in lines(path)] == ["line 0", "line 1", "line 2"]


def test_levels_below_the_configured_one_are_left_out(path: Path) -> None:
    log = DaemonLog(path, level=logging.WARNING)
    log.open()
    logging.getLogger("hoody.test").info("quiet")
    logging.getLogger("hoody.test").warning("loud")
    log.close()

    assert [line["message"] for line in lines(path)] == ["loud"]


def test_the_file_is_private_and_appended_to(path: Path) -> None:
    for message in ("first", "second"):
        log = DaemonLog(path, level=logging.INFO)
        log.open()
        logging.getLogger("hoody.test").info(message)
        log.close()

    assert [line["message"] for line in lines(path)] == ["first", "second"]
    assert path.stat().st_mode & 0o7777 == 0o600


def test_a_log_that_is_moved_is_reopened_under_its_name(path: Path) -> None:
    log = DaemonLog(path, level=logging.INFO)
    log.open()
    logging.getLogger("hoody.test").info("before")
    wait_for(path)
    path.rename(path.with_name("moved"))
    log.reopen()
    logging.getLogger("hoody.test").info("after")
    log.close()

    assert [line["message"] for line in lines(path.with_name("moved"))] == ["before"]
    assert [line["message"] for line in lines(path)] == ["after"]


def wait_for(path: Path) -> None:
    deadline = threading.Event()
    for _ in range(500):
        if path.exists() and path.stat().st_size:
            return
        deadline.wait(0.01)
    pytest.fail("the line did not arrive")


def test_a_disk_that_stands_still_costs_lines_and_no_waiting(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_module, "MOST_WAITING", 5)
    going = threading.Event()
    log = DaemonLog(path, level=logging.INFO)
    write = RotatingFile.write

    def stalled(self: RotatingFile, line: bytes) -> bool:
        going.wait(10)
        return write(self, line)

    monkeypatch.setattr(RotatingFile, "write", stalled)
    log.open()
    for number in range(50):
        logging.getLogger("hoody.test").info("line %d", number)
    assert log.lost >= 44
    going.set()
    log.close()

    told = [line["message"] for line in lines(path)]
    assert told[0] == "line 0"
    assert f"{log.lost} lines of this log are lost" in told


def test_rotation_keeps_whole_lines_and_so_many_backups(path: Path) -> None:
    file = RotatingFile(path, max_bytes=100, backups=2)
    written = [b"%03d %s\n" % (number, b"x" * 30) for number in range(20)]
    for line in written:
        assert file.write(line)
    file.close()

    kept = [path.with_name("daemon.log.2"), path.with_name("daemon.log.1"), path]
    assert b"".join(each.read_bytes() for each in kept) == b"".join(written[-6:])
    assert sorted(path.parent.iterdir()) == sorted(kept)


def test_without_backups_the_file_starts_over(path: Path) -> None:
    file = RotatingFile(path, max_bytes=10, backups=0)
    for line in (b"123456789\n", b"abc\n"):
        file.write(line)
    file.close()

    assert path.read_bytes() == b"abc\n"


def test_a_line_longer_than_the_limit_is_kept_whole(path: Path) -> None:
    file = RotatingFile(path, max_bytes=10, backups=1)
    file.write(b"short\n")
    file.write(b"x" * 100 + b"\n")
    file.close()

    assert path.read_bytes() == b"x" * 100 + b"\n"


def test_a_full_disk_loses_whole_lines_counts_them_and_recovers(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = RotatingFile(path, max_bytes=1000, backups=1)
    file.write(b"first\n")
    real = os.write

    def no_room(descriptor: int, line: bytes) -> int:
        return real(descriptor, line[:3])

    monkeypatch.setattr("hoody.daemon.logfile.os.write", no_room)
    assert not file.write(b"second\n")
    assert not file.write(b"third\n")
    monkeypatch.undo()
    assert file.write(b"fourth\n")
    file.close()

    assert path.read_bytes() == b"first\nfourth\n"
    assert file.lost == 2


def test_a_folder_that_vanishes_loses_lines_and_raises_nothing(tmp_path: Path) -> None:
    file = RotatingFile(tmp_path / "none" / "daemon.log", max_bytes=1000, backups=1)

    assert not file.write(b"line\n")
    assert file.lost == 1


CRASH = Crashed.by(ValueError("broken"))


@pytest.mark.parametrize(
    ("event", "level", "told"),
    [
        (ChildStarted(path="hoody/store", incarnation=1), "DEBUG", "hoody/store is up"),
        (ChildEnded(path="hoody/store", incarnation=1, reason=NORMAL), "DEBUG", "hoody/store ended normally"),
        (ChildEnded(path="hoody/store", incarnation=1, reason=CRASH), "ERROR", "hoody/store crashed"),
        (RestartScheduled(path="a", delay=0.5, crash_loop=False), "INFO", "a starts again in 0.5 s"),
        (ChildGaveUp(path="a", restarts=3, escalated=True), "ERROR", "a has used up its 3 restarts"),
        (ChildUnstoppable(path="a", incarnation=1), "ERROR", "a goes on although it was cancelled"),
        (CleanupFailed(path="a", reason=CRASH), "ERROR", "the clean-up of a failed"),
        (CleanupFailed(path="a", reason=Cancelled("time")), "ERROR", "the clean-up of a was cancelled (time)"),
        (TreeStuck(paths=("a", "b")), "CRITICAL", "the tree has stopped except for: a, b"),
        (DeadLetter(actor="a", message="Ping()", suppressed=2), "DEBUG", "nobody handled Ping() for a"),
        (
            HandlerDetached(handler="h", error=ValueError("x")),
            "ERROR",
            "the telemetry handler h failed and is detached",
        ),
    ],
)
def test_every_event_of_the_runtime_is_told(
    event: Event, level: str, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    log_event(event)

    assert [(entry.levelname, entry.getMessage()) for entry in caplog.records] == [(level, told)]


def test_a_crash_is_told_with_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    log_event(ChildEnded(path="a", incarnation=1, reason=CRASH))

    assert caplog.records[0].exc_info is not None
    assert caplog.records[0].exc_info[1] is CRASH.error
