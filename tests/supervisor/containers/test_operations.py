"""What can be done with containers beside starting and ending them, on a real engine."""

from __future__ import annotations

import io
import os
import signal
import tarfile

import pytest
import trio

from supervisor.containers.commands import executing, write_input
from supervisor.containers.errors import ContainerNotFound, ContainerNotRunning, ForeignContainer
from supervisor.containers.events import HealthTold
from supervisor.containers.files import reading_files, write_files
from supervisor.containers.ownership import Owner, all_containers, prune, take_over
from supervisor.containers.spec import ContainerLimits, Healthcheck
from supervisor.containers.stats import measuring
from supervisor.errors import NotFound
from supervisor.units.driver import ExitStatus
from supervisor.units.quantities import Duration, Size
from tests.engine import IMAGE
from tests.supervisor.containers.world import Daemon, Ends, launch, shell, spec


async def test_a_command_in_a_container_gives_its_output_apart_and_its_code(daemon: Daemon) -> None:
    run = await daemon.driver.spawn(launch(spec("sleep", "1000")), Ends())
    script = "echo out; echo err >&2; pwd; echo $COLOUR; exit 9"

    async with executing(
        daemon.driver.engine, run.id, ["sh", "-c", script], environment={"COLOUR": "blue"}, directory="/tmp"
    ) as command:
        pieces = [piece async for piece in command]
        code = await command.exit_code()

    assert b"".join(data for stream, data in pieces if stream == "stdout") == b"out\n/tmp\nblue\n"
    assert b"".join(data for stream, data in pieces if stream == "stderr") == b"err\n"
    assert code == 9


async def test_a_command_reads_what_is_sent_to_it(daemon: Daemon) -> None:
    run = await daemon.driver.spawn(launch(spec("sleep", "1000")), Ends())

    async with executing(daemon.driver.engine, run.id, ["wc", "-c"], stdin=True) as command:
        await command.send(b"x" * 300_000)
        await command.send_eof()
        output = b"".join([data async for _, data in command])

    assert output.strip() == b"300000"


async def test_a_command_in_a_container_that_is_down_is_refused(daemon: Daemon) -> None:
    ends = Ends()
    run = await daemon.driver.spawn(launch(spec("true")), ends)
    await ends.count(1)

    with pytest.raises(ContainerNotRunning):
        async with executing(daemon.driver.engine, run.id, ["true"]):
            pass
    with pytest.raises(ContainerNotFound):
        async with executing(daemon.driver.engine, "nothing", ["true"]):
            pass


async def test_input_reaches_the_program(daemon: Daemon) -> None:
    ends = Ends()
    run = await daemon.driver.spawn(launch(shell('read line; test "$line" = hello && exit 4', stdin=True)), ends)

    await write_input(daemon.driver.engine, run.id, b"hello\n")

    assert await ends.count(1) == [ExitStatus(code=4)]


async def test_files_go_in_and_come_out(daemon: Daemon) -> None:
    run = await daemon.driver.spawn(launch(spec("sleep", "1000")), Ends())
    archive = io.BytesIO()
    content = os.urandom(200_000)
    with tarfile.open(fileobj=archive, mode="w") as tar:
        entry = tarfile.TarInfo("big")
        entry.size = len(content)
        tar.addfile(entry, io.BytesIO(content))

    async def pieces() -> object:
        for at in range(0, len(archive.getvalue()), 50_000):
            yield archive.getvalue()[at : at + 50_000]

    await write_files(daemon.driver.engine, run.id, "/tmp", pieces())  # type: ignore[arg-type]
    async with reading_files(daemon.driver.engine, run.id, "/tmp/big") as found:
        back = b"".join([piece async for piece in found])

    with tarfile.open(fileobj=io.BytesIO(back)) as tar:
        extracted = tar.extractfile("big")
        assert extracted is not None
        assert extracted.read() == content


async def test_a_file_that_is_not_there_is_not_found(daemon: Daemon) -> None:
    run = await daemon.driver.spawn(launch(spec("sleep", "1000")), Ends())

    with pytest.raises(NotFound, match="/nothing"):
        async with reading_files(daemon.driver.engine, run.id, "/nothing"):
            pass
    with pytest.raises(NotFound):
        await write_files(daemon.driver.engine, run.id, "/nothing", b"")


async def test_usage_is_measured_while_somebody_looks(daemon: Daemon) -> None:
    limited = shell("while :; do :; done", limits=ContainerLimits(memory=Size(64 * 1024 * 1024), processes=20))
    run = await daemon.driver.spawn(launch(limited), Ends())

    async with measuring(daemon.driver.engine, run.id) as samples:
        with trio.fail_after(30):
            found = [await anext(samples), await anext(samples)]

    assert found[0].memory_limit == 64 * 1024 * 1024
    assert found[1].processes >= 2
    assert found[1].cpu is not None
    assert found[1].cpu > 0.05
    assert 0 < found[1].memory < 64 * 1024 * 1024


async def test_its_processes_can_be_listed_and_it_can_be_frozen(daemon: Daemon) -> None:
    run = await daemon.driver.spawn(launch(spec("sleep", "1000")), Ends())
    engine = daemon.driver.engine

    titles, rows = await engine.call(lambda client: client.top(run.id))
    await engine.call(lambda client: client.pause(run.id))
    paused = await engine.call(lambda client: client.inspect(run.id))
    await engine.call(lambda client: client.unpause(run.id))

    assert "PID" in titles
    assert any("sleep 1000" in " ".join(row) for row in rows)
    assert paused.state.paused
    assert run.id in daemon.driver.table.live


async def test_a_health_check_that_turns_unhealthy_is_told(daemon: Daemon) -> None:
    told: list[str] = []
    came = trio.Event()

    def listen(event: object) -> None:
        if isinstance(event, HealthTold):
            told.append(event.health)
            came.set()

    daemon.watch.on_event(listen)
    check = Healthcheck(test="test ! -e /sick", interval=Duration(0.1), retries=1)
    run = await daemon.driver.spawn(launch(spec("sleep", "1000", healthcheck=check)), Ends())
    with trio.fail_after(30):
        await came.wait()
    came = trio.Event()
    async with executing(daemon.driver.engine, run.id, ["touch", "/sick"]) as command:
        assert [piece async for piece in command] == []
    with trio.fail_after(30):
        await came.wait()

    assert told == ["healthy", "unhealthy"]


async def test_images_are_listed_looked_up_and_removed(daemon: Daemon) -> None:
    engine = daemon.driver.engine
    daemon.real.import_image("hoody-test/short-lived:1", files={"only": b"here"})

    listed = await engine.call(lambda client: client.images())
    await engine.call(lambda client: client.remove_image("hoody-test/short-lived:1"))

    assert "hoody-test/short-lived:1" in {name for image in listed for name in image.names}
    assert await engine.call(lambda client: client.image("hoody-test/short-lived:1")) is None


def foreign(daemon: Daemon, name: str = "theirs", **host: object) -> str:
    made = daemon.real.json(
        "POST",
        f"/containers/create?name={name}",
        {
            "Image": IMAGE,
            "Cmd": ["sleep", "1000"],
            "Env": ["COLOUR=blue"],
            "HostConfig": {"NetworkMode": "none", "Init": True, **host},
        },
    )
    assert isinstance(made, dict)
    daemon.real.call("POST", f"/containers/{made['Id']}/start")
    return str(made["Id"])


async def test_foreign_containers_are_shown_and_pruning_spares_them_and_what_is_in_use(daemon: Daemon) -> None:
    foreign(daemon)
    ends = Ends()
    await daemon.driver.spawn(launch(spec("true"), "gone"), ends)
    await daemon.driver.spawn(launch(spec("true"), "kept"), ends)
    await daemon.driver.spawn(launch(spec("sleep", "1000"), "running"), Ends())
    await ends.count(2)

    listed = await all_containers(daemon.driver.engine, "test")
    removed = await prune(daemon.driver.engine, "test", {"kept"})

    assert {each.summary.name: each.owner for each in listed} == {
        "theirs": Owner.NOBODY,
        "gone": Owner.OURS,
        "kept": Owner.OURS,
        "running": Owner.OURS,
    }
    assert removed == ("gone",)
    assert len(daemon.real.containers()) == 3


async def test_a_foreign_container_is_taken_over_as_it_runs_and_is_kept_alive(daemon: Daemon) -> None:
    theirs = foreign(daemon, RestartPolicy={"Name": "always"}, Memory=64 * 1024 * 1024)

    definition = await take_over(daemon.driver.engine, "theirs", "test")
    ends = Ends()
    run = await daemon.driver.spawn(launch(definition.spec, definition.name), ends)
    os.kill(run.identity.pid, signal.SIGKILL)
    status = await ends.count(1)
    again = await daemon.driver.spawn(launch(definition.spec, definition.name, 2), Ends())

    assert (definition.name, run.id, again.id) == ("theirs", theirs, theirs)
    assert definition.spec.environment["COLOUR"] == "blue"
    assert definition.spec.limits.memory == 64 * 1024 * 1024
    assert status == [ExitStatus(signal=signal.SIGKILL)]
    found = await daemon.driver.engine.call(lambda client: client.inspect(theirs))
    assert found.restart_policy == "no"


async def test_another_daemon_s_container_cannot_be_taken_over(daemon: Daemon) -> None:
    run = await daemon.driver.spawn(launch(spec("sleep", "1000")), Ends())

    with pytest.raises(ForeignContainer, match="another Hoody Daemon"):
        await take_over(daemon.driver.engine, run.id, "a different one")
    with pytest.raises(ForeignContainer, match="supervised here already"):
        await take_over(daemon.driver.engine, run.id, "test")
