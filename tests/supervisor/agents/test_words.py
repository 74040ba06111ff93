"""Why a program could not be started is said in words, for every way in which the system can refuse."""

from __future__ import annotations

import errno
import os
import resource
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from supervisor.agents.children import direct_children
from supervisor.agents.host import Host
from supervisor.agents.marks import Mark
from supervisor.agents.output import Discard
from supervisor.agents.spawn import Spawner
from supervisor.agents.window import LimitWindow
from supervisor.agents.words import Attempt, spawn_failure
from supervisor.errors import SpawnFailed
from supervisor.units.spec import AgentSpec

MARK = Mark("web", 1, "home")


def refusal(folder: Path, *argv: str, **settings: object) -> SpawnFailed:
    """Try to start a program for real and return why it could not be."""
    window = LimitWindow(Host.as_it_is().descriptors)
    spawner = Spawner(output=Discard(), window=window, inherited=dict(os.environ), home=str(folder))
    with pytest.raises(SpawnFailed) as caught:
        spawner.start(AgentSpec(command=argv, **settings), MARK)  # type: ignore[arg-type]
    assert str(caught.value).startswith(f"{argv[0]} could not be started: ")
    return caught.value


def executable(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    path.chmod(0o755)
    return path


def test_a_program_that_is_on_no_folder_of_its_own_path(tmp_path: Path) -> None:
    found = refusal(tmp_path, "hoody-nothing", environment={"PATH": "/a:/b"})

    assert "no such program on its PATH (/a:/b)" in str(found)
    assert found.hint is not None
    assert "./hoody-nothing" in found.hint


def test_the_first_program_on_the_path_that_may_be_run_is_run(tmp_path: Path) -> None:
    for folder, mode in (("a", 0o644), ("b", 0o755)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "run").write_text("#!/bin/sh\n")
        (tmp_path / folder / "run").chmod(mode)
    environment = {"PATH": "gone:a:b"}

    assert tmp_path / "b/run" == Attempt(argv=("run",), directory=str(tmp_path), environment=environment).executable
    (tmp_path / "b/run").chmod(0o644)
    assert f"{tmp_path}/a/run is not executable" in str(refusal(tmp_path, "run", environment=environment))


def test_a_folder_of_the_path_that_may_not_be_looked_into_hides_nothing(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may look into every folder")
    (tmp_path / "closed").mkdir(mode=0)
    environment = {"PATH": f"{tmp_path}/closed:{os.defpath}"}

    assert "longer than the system takes" in str(refusal(tmp_path, "true", "x" * (1 << 18), environment=environment))
    assert "no such program" in str(refusal(tmp_path, "hoody-nothing", environment=environment))


def test_a_file_that_does_not_exist(tmp_path: Path) -> None:
    assert f"no such file: {tmp_path}/run" in str(refusal(tmp_path, "./run"))
    assert "no such file: /nowhere/run" in str(refusal(tmp_path, "/nowhere/run"))


def test_a_file_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    assert "no such file" in str(refusal(tmp_path, "./file/run"))


def test_a_link_that_leads_nowhere(tmp_path: Path) -> None:
    (tmp_path / "run").symlink_to("gone")

    assert "is a link to gone, which does not exist" in str(refusal(tmp_path, "./run"))


def test_links_that_lead_in_a_circle(tmp_path: Path) -> None:
    (tmp_path / "run").symlink_to("run")

    assert "lead in a circle" in str(refusal(tmp_path, "./run"))


def test_a_script_whose_interpreter_does_not_exist(tmp_path: Path) -> None:
    executable(tmp_path / "run", b"#! /usr/bin/no-such-shell -e\n")

    assert "is a script for '/usr/bin/no-such-shell', which does not exist" in str(refusal(tmp_path, "./run"))


def test_a_script_with_windows_line_ends(tmp_path: Path) -> None:
    executable(tmp_path / "run", b"#!/bin/sh\r\necho\r\n")

    found = refusal(tmp_path, "./run")

    assert "is a script for '/bin/sh', which does not exist" in str(found)
    assert "dos2unix" in (found.hint or "")


def test_a_script_whose_interpreter_may_not_be_run(tmp_path: Path) -> None:
    (tmp_path / "shell").touch(mode=0o644)
    executable(tmp_path / "run", f"#!{tmp_path}/shell\n".encode())

    assert "which may not be run" in str(refusal(tmp_path, "./run"))


def test_a_binary_without_its_loader(tmp_path: Path) -> None:
    content = Path(shutil.which("true") or "/bin/true").resolve().read_bytes()
    if b"/ld-linux" not in content:
        pytest.skip("the programs of this system need no loader that could be missing")
    executable(tmp_path / "run", content.replace(b"/ld-linux", b"/no-linux", 1))

    assert "needs a program loader" in str(refusal(tmp_path, "./run"))


def test_a_file_that_is_not_executable(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("#!/bin/sh\n")

    found = refusal(tmp_path, "./run")

    assert f"{tmp_path}/run is not executable" in str(found)
    assert f"make it executable: chmod +x {tmp_path}/run" == found.hint


def test_a_folder_is_no_program(tmp_path: Path) -> None:
    assert "is a folder" in str(refusal(tmp_path, str(tmp_path)))


def test_a_file_that_is_no_program(tmp_path: Path) -> None:
    executable(tmp_path / "run", b"just some text\n")

    found = refusal(tmp_path, "./run")

    assert "is not a program that this system can run" in str(found)
    assert "#!/bin/sh" in (found.hint or "")


def test_a_program_that_is_being_written(tmp_path: Path) -> None:
    executable(tmp_path / "run", Path(shutil.which("true") or "/bin/true").read_bytes())
    with (tmp_path / "run").open("ab"):
        assert "is being written" in str(refusal(tmp_path, "./run"))


def test_arguments_that_are_too_long(tmp_path: Path) -> None:
    found = refusal(tmp_path, "true", "x" * (1 << 18))

    assert "longer than the system takes" in str(found)
    assert "file" in (found.hint or "")


def test_a_name_that_is_too_long(tmp_path: Path) -> None:
    assert "longer than the system takes" in str(refusal(tmp_path, "./" + "x" * 300))


def test_a_folder_to_start_in_that_does_not_exist(tmp_path: Path) -> None:
    found = refusal(tmp_path, "true", directory="gone")

    assert f"its folder {tmp_path}/gone does not exist" in str(found)
    assert f"create it: mkdir -p {tmp_path}/gone" == found.hint


def test_a_folder_to_start_in_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    assert "is a file, or lies below one" in str(refusal(tmp_path, "true", directory="file"))


def test_text_that_cannot_be_passed_to_a_program(tmp_path: Path) -> None:
    assert "cannot be passed to a program" in str(refusal(tmp_path, "true", "\ud800"))


def test_no_free_descriptor_and_nothing_is_left_behind(tmp_path: Path) -> None:
    children = set(direct_children())  # other tests may have left some that nobody waits for
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.dup(0)
    os.close(lowest)
    for free in range(5):
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest + free, before[1]))
        try:
            with pytest.raises(SpawnFailed) as caught:
                spawner(tmp_path).start(AgentSpec(command="sleep 1000"), MARK)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, before)
        assert "descriptors" in str(caught.value) or "Too many open files" in str(caught.value)
        assert set(direct_children()) <= children


def spawner(folder: Path) -> Spawner:
    window = LimitWindow(Host.as_it_is().descriptors)
    return Spawner(output=Discard(), window=window, inherited={"PATH": os.defpath}, home=str(folder))


def attempt(folder: Path, *argv: str) -> Attempt:
    return Attempt(argv=argv, directory=str(folder), environment={"PATH": str(folder)})


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.EMFILE, "the daemon has no free descriptors"),
        (errno.ENFILE, "the system has no free descriptors"),
        (errno.ENOMEM, "not enough memory"),
        (errno.EAGAIN, "no further process for this user"),
        (errno.ENOSPC, "no room for another process"),
        (errno.EPERM, "does not permit this user to run"),
        (errno.EIO, "cannot be read from its disk"),
        (errno.EPROTO, "(error 71)"),
    ],
)
def test_what_cannot_be_brought_about_here_is_said_in_words_too(tmp_path: Path, number: int, words: str) -> None:
    found = spawn_failure(attempt(tmp_path, "run"), OSError(number, os.strerror(number)))

    assert words in str(found)


def test_a_folder_that_may_not_be_entered(tmp_path: Path) -> None:
    error = PermissionError(errno.EACCES, "Permission denied", str(tmp_path))

    assert f"this user may not enter its folder {tmp_path}" in str(spawn_failure(attempt(tmp_path, "run"), error))


def test_a_folder_that_fails_in_another_way(tmp_path: Path) -> None:
    error = OSError(errno.EIO, "Input/output error", str(tmp_path))

    assert "cannot be entered (Input/output error)" in str(spawn_failure(attempt(tmp_path, "run"), error))


def test_a_program_that_is_executable_and_refused_lies_on_a_file_system_without_programs(tmp_path: Path) -> None:
    executable(tmp_path / "run", b"\x7fELF")
    error = PermissionError(errno.EACCES, "Permission denied", "run")

    assert "may not be run from where it lies" in str(spawn_failure(attempt(tmp_path, "run"), error))


def test_a_program_in_a_folder_that_may_not_be_looked_into(tmp_path: Path) -> None:
    error = PermissionError(errno.EACCES, "Permission denied", "run")

    assert "may not look into a folder" in str(spawn_failure(attempt(tmp_path, "run"), error))


def test_the_first_answer_stands_where_the_second_look_is_refused(tmp_path: Path) -> None:
    class Locked(Attempt):
        @property
        def found(self) -> Path | None:
            raise PermissionError(errno.EACCES, "Permission denied", "/locked")

    locked = Locked(argv=("run",), directory="/", environment={})

    assert "Permission denied" in str(spawn_failure(locked, PermissionError(errno.EACCES, "Permission denied", "run")))


def descriptors() -> set[str]:
    return {entry.name for entry in Path("/proc/self/fd").iterdir()}


@pytest.mark.parametrize("failing", [1, 2])
def test_an_output_that_cannot_be_opened_fails_the_start_and_leaves_no_descriptor(tmp_path: Path, failing: int) -> None:
    class Broken(Discard):
        calls = 0

        def open(self, unit: str, stream: object, incarnation: int) -> int:
            self.calls += 1
            if self.calls == failing:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return super().open(unit, "stdout", incarnation)

    window = LimitWindow(Host.as_it_is().descriptors)
    start: Callable[..., object] = Spawner(output=Broken(), window=window, inherited={}, home=str(tmp_path)).start
    before = descriptors()

    with pytest.raises(SpawnFailed, match=r"its output cannot be captured: .*No space left"):
        start(AgentSpec(command="true"), MARK)

    assert before == descriptors()
