"""How runs start on a real engine: what is used again, what is made anew, and what is refused in words."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path

import pytest
import trio

from supervisor.containers import labels
from supervisor.containers.images import pulling
from supervisor.containers.spec import ContainerSpec, PullPolicy
from supervisor.errors import SpawnFailed
from tests.engine import IMAGE
from tests.supervisor.containers.registry import registry
from tests.supervisor.containers.world import Daemon, Ends, fresh_folder, launch, shell, spec


async def run_once(daemon: Daemon, of: ContainerSpec, incarnation: int, unit: str = "web") -> str:
    """Run to the end and return the container's id."""
    ends = Ends()
    run = await daemon.driver.spawn(launch(of, unit, incarnation), ends)
    await ends.count(1)
    await run.clear(deadline=trio.current_time() + 10)
    return run.id


async def test_a_restart_uses_the_container_again_and_keeps_what_it_wrote(daemon: Daemon) -> None:
    counting = shell("echo x >> /count; exit $(wc -l < /count)")
    first = await run_once(daemon, counting, 1)
    ends = Ends()

    second = await daemon.driver.spawn(launch(counting, incarnation=2), ends)

    assert second.id == first
    assert (await ends.count(1))[0].code == 2


async def test_a_fresh_container_at_each_start_begins_with_nothing(daemon: Daemon) -> None:
    counting = shell("echo x >> /count; exit $(wc -l < /count)", fresh=True)
    first = await run_once(daemon, counting, 1)
    ends = Ends()

    second = await daemon.driver.spawn(launch(counting, incarnation=2), ends)

    assert second.id != first
    assert (await ends.count(1))[0].code == 1
    assert len(daemon.real.containers()) == 1


async def test_a_changed_definition_makes_a_new_container_in_the_old_one_s_place(daemon: Daemon) -> None:
    first = await run_once(daemon, shell("exit 0"), 1)

    second = await run_once(daemon, shell("exit 0", environment={"NEW": "1"}), 2)

    assert second != first
    assert [each["Names"] for each in daemon.real.containers()] == [["/web"]]


async def test_nameless_volumes_live_through_a_changed_definition(daemon: Daemon) -> None:
    script = "echo x >> /data/count; exit $(wc -l < /data/count)"
    await run_once(daemon, shell(script, volumes=("/data",)), 1)
    ends = Ends()

    await daemon.driver.spawn(launch(shell(script, volumes=("/data",), environment={"NEW": "1"}), incarnation=2), ends)

    assert (await ends.count(1))[0].code == 2


async def test_what_a_dead_daemon_started_without_noting_it_is_found_and_not_doubled(
    daemon: Daemon, folder: Path
) -> None:
    first = await daemon.driver.spawn(launch(spec("sleep", "1000")), Ends())
    async with Daemon(daemon.real, folder).running() as next_daemon:
        second = await next_daemon.driver.spawn(launch(spec("sleep", "1000"), incarnation=2), Ends())

        assert second.identity == first.identity
        assert len(daemon.real.containers()) == 1


async def test_a_start_whose_caller_has_gone_is_waited_for_by_the_next(daemon: Daemon) -> None:
    async def start() -> None:
        await daemon.driver.spawn(launch(spec("sleep", "1000")), Ends())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(start)
        await trio.sleep(0.03)
        nursery.cancel_scope.cancel()
    run = await daemon.driver.spawn(launch(spec("sleep", "1000"), incarnation=2), Ends())

    assert [each["Id"] for each in daemon.real.containers(status=["running"])] == [run.id]


async def test_labels_say_whose_it_is_and_the_engine_s_own_restarts_are_off(daemon: Daemon) -> None:
    run = await daemon.driver.spawn(launch(spec("sleep", "1000"), incarnation=3), Ends())
    found = await daemon.driver.engine.call(lambda client: client.inspect(run.id))

    assert found.labels[labels.INSTANCE] == "test"
    assert found.labels[labels.UNIT] == "web"
    assert found.labels[labels.INCARNATION] == "3"
    assert found.restart_policy == "no"


async def test_another_daemon_s_container_of_the_same_unit_is_never_touched(daemon: Daemon) -> None:
    other_folder = fresh_folder()
    async with Daemon(daemon.real, other_folder, instance="other").running() as other:
        theirs = await other.driver.spawn(launch(spec("sleep", "1000", container_name="theirs")), Ends())
        ours = await daemon.driver.spawn(launch(spec("sleep", "1000")), Ends())
        await daemon.driver.forget("web")

        assert ours.id != theirs.id
        assert [each["Id"] for each in daemon.real.containers()] == [theirs.id]
        with pytest.raises(SpawnFailed, match="another Hoody Daemon"):
            await daemon.driver.spawn(launch(spec("sleep", "1", container_name="theirs"), "thief"), Ends())
    shutil.rmtree(other_folder)


async def refused(daemon: Daemon, of: ContainerSpec) -> SpawnFailed:
    with pytest.raises(SpawnFailed) as caught:
        await daemon.driver.spawn(launch(of, "refused"), Ends())
    assert not [each for each in daemon.real.containers() if "/refused" in str(each["Names"])]
    return caught.value


async def test_a_name_that_a_foreign_container_has_is_refused_and_left_alone(daemon: Daemon) -> None:
    daemon.real.json("POST", "/containers/create?name=taken", {"Image": IMAGE, "Cmd": ["true"]})

    error = await refused(daemon, spec("true", container_name="taken"))

    assert "already in use" in str(error)
    assert "adopt" in (error.hint or "")
    assert len(daemon.real.containers()) == 1


async def test_a_port_that_is_taken_is_refused_in_words(daemon: Daemon) -> None:
    daemon.real.json("POST", "/networks/create", {"Name": "ports", "Options": {}})
    first = spec("sleep", "1000", network="ports", ports=("47113:80",))
    await daemon.driver.spawn(launch(first), Ends())

    error = await refused(daemon, first)

    assert "port is already allocated" in str(error)
    assert error.hint is not None


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ({"image": "hoody-test/nothing:9"}, "No such image: hoody-test/nothing:9"),
        ({"network": "nowhere"}, "network nowhere not found"),
        ({"volumes": ("/no/such/folder:/x",)}, "bind source path does not exist: /no/such/folder"),
        ({"command": ("/no/such/program",), "init": False}, "no such file or directory"),
        ({"user": "nobody-here"}, "unable to find user nobody-here"),
    ],
)
async def test_what_cannot_be_started_says_why_and_leaves_nothing(
    daemon: Daemon, keys: dict[str, object], sentence: str
) -> None:
    error = await refused(daemon, spec("sleep", "1000", **keys))

    assert sentence in str(error)


async def test_a_missing_image_is_fetched_and_a_registry_out_of_reach_is_told(daemon: Daemon) -> None:
    error = await refused(
        daemon, spec("true", image="127.0.0.1:1/hoody-test/nothing:9", pull_policy=PullPolicy.MISSING)
    )

    assert "127.0.0.1:1" in str(error)


async def test_the_newest_image_is_not_worth_an_outage(daemon: Daemon) -> None:
    """With ``pull_policy = always`` a registry that cannot be reached does not keep a container down."""
    ends = Ends()
    await daemon.driver.spawn(launch(shell("exit 3", image=IMAGE, pull_policy=PullPolicy.ALWAYS)), ends)

    assert (await ends.count(1))[0].code == 3


async def test_an_image_of_the_same_name_that_has_changed_is_used_where_the_newest_is_wanted(daemon: Daemon) -> None:
    name = "hoody-test/changing:1"
    daemon.real.import_image(name, files={"version": b"1"})
    wanted = shell("exit $(cat /version)", image=name, pull_policy=PullPolicy.ALWAYS)
    await run_once(daemon, wanted, 1)
    daemon.real.import_image(name, files={"version": b"2"})
    ends = Ends()

    await daemon.driver.spawn(launch(wanted, incarnation=2), ends)

    assert (await ends.count(1))[0].code == 2


async def test_everything_that_is_defined_reaches_the_container(daemon: Daemon, folder: Path) -> None:
    await trio.to_thread.run_sync(folder.chmod, 0o755)
    (folder / "here").write_text("seen")
    ends = Ends()
    asked = shell(
        'test "$(cat /mnt/here)" = seen && test "$COLOUR" = blue && test "$(pwd)" = /tmp && test "$(id -u)" = 1000 &&'
        ' test "$HOODY_UNIT" = web && ! touch /mnt/x && ! touch /x && touch /scratch/x && exit 42',
        volumes=(f"{folder}:/mnt:ro",),
        environment={"COLOUR": "blue"},
        directory="/tmp",
        user="1000:1000",
        read_only=True,
        tmpfs=("/scratch:mode=1777",),
        hostname="box",
    )

    await daemon.driver.spawn(launch(asked), ends)

    assert (await ends.count(1))[0].code == 42


async def test_a_signal_to_a_container_that_is_already_gone_is_no_error(daemon: Daemon) -> None:
    ends = Ends()
    run = await daemon.driver.spawn(launch(spec("sleep", "1000")), ends)
    daemon.real.call("DELETE", f"/containers/{run.id}?force=1")
    run.signal(signal.SIGTERM)
    await ends.count(1)

    assert await run.clear(deadline=trio.current_time() + 5) == ()


async def test_a_missing_image_is_fetched_from_its_registry_with_progress(daemon: Daemon) -> None:
    with registry() as place:
        image = f"{place}/small:1"
        async with pulling(daemon.driver.engine, image) as progress:
            steps = [step async for step in progress]
        await daemon.driver.engine.call(lambda client: client.remove_image(image))
        ends = Ends()

        await daemon.driver.spawn(
            launch(ContainerSpec(image=image, network="none", pull_policy=PullPolicy.MISSING)), ends
        )

        assert (await ends.count(1))[0].code == 21
        assert steps[-1].status.startswith("Status: Downloaded newer image")
        assert steps[-1].current == steps[-1].total > 0
        error = await refused(daemon, spec("true", image=f"{place}/small:9", pull_policy=PullPolicy.MISSING))
        assert "manifest" in str(error)


async def test_a_pull_that_nobody_waits_for_any_more_is_given_up(daemon: Daemon) -> None:
    with registry() as place, trio.move_on_after(0.02):
        async with pulling(daemon.driver.engine, f"{place}/small:1") as progress:
            async for _step in progress:
                await trio.sleep(60)

    assert await daemon.driver.engine.call(lambda client: client.list()) == ()


async def test_environment_files_are_read_at_each_start_and_a_missing_one_is_told(daemon: Daemon, folder: Path) -> None:
    of = shell('test "$A" = file && test "$B" = mine && exit 6', environment={"B": "mine"}, environment_files=(".env",))
    error = await refused(daemon, of)
    assert "does not exist" in str(error)
    (folder / ".env").write_text("A=file\nB=theirs\n")
    ends = Ends()

    await daemon.driver.spawn(launch(of), ends)

    assert (await ends.count(1))[0].code == 6
