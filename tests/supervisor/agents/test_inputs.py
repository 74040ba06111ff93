"""The standard input of agents: a FIFO that they hold themselves."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import trio
from attrs import evolve

from supervisor.agents.inputs import InputPipes
from supervisor.errors import InvalidTransition, TimedOut
from supervisor.units.driver import Launch
from supervisor.units.spec import AgentSpec, Stdin
from tests.supervisor.agents.world import ProcessWorld
from tests.supervisor.contract import Ends, clear, start


def reading(spec: AgentSpec) -> AgentSpec:
    return evolve(spec, stdin=Stdin.PIPE)


@pytest.fixture
def pipes(world: ProcessWorld) -> InputPipes:
    """Another daemon's view of the same folder."""
    return InputPipes(world.folder / "inputs")


def told(world: ProcessWorld) -> str:
    return (world.folder / "told").read_text() if (world.folder / "told").exists() else ""


async def test_what_is_given_is_read_line_by_line_also_by_another_daemon(
    world: ProcessWorld, pipes: InputPipes
) -> None:
    script = '$READY; while read -r line; do echo "$line" >>told; done'
    incarnation = await start(world, reading(world.shell(script)), Ends())

    await pipes.write("web", 1, b"one\ntw", within=5)
    await pipes.write("web", 1, b"o\n", within=5)
    await world.until(lambda: told(world) == "one\ntwo\n")
    incarnation.detach()
    ends = Ends()
    adopted = await world.driver.adopt(
        incarnation.identity, Launch(unit="web", incarnation=1, spec=reading(world.steady())), ends
    )
    await pipes.write("web", 1, b"three\n", within=5)
    await world.until(lambda: told(world) == "one\ntwo\nthree\n")

    assert adopted is not None
    assert await clear(world, adopted) == ()
    assert list((world.folder / "inputs").iterdir()) == []


async def test_without_a_pipe_there_is_nothing_to_read(world: ProcessWorld) -> None:
    assert await world.told("cat >&3; echo end >&3") == "end\n"
    assert not (world.folder / "inputs").exists()


async def test_what_does_not_read_is_told_with_how_much_it_has_taken(world: ProcessWorld, pipes: InputPipes) -> None:
    await start(world, reading(world.steady()), Ends())

    with pytest.raises(TimedOut, match=r"'web' has taken 65536 of 100000 bytes of input in 0.05 s"):
        await pipes.write("web", 1, bytes(100_000), within=0.05)


async def test_more_than_the_pipe_holds_arrives_whole_and_unmixed(world: ProcessWorld, pipes: InputPipes) -> None:
    await start(world, reading(world.shell("$READY; exec head -c 600000 >told.bytes")), Ends())

    async with trio.open_nursery() as nursery:
        for letter in (b"a", b"b", b"c"):
            nursery.start_soon(lambda piece: pipes.write("web", 1, piece, within=10), letter * 200_000)
    await world.until(lambda: (world.folder / "told.bytes").stat().st_size == 600_000)

    pieces = (world.folder / "told.bytes").read_bytes()
    assert {pieces[start : start + 200_000] for start in (0, 200_000, 400_000)} == {
        b"a" * 200_000,
        b"b" * 200_000,
        b"c" * 200_000,
    }


async def test_what_has_ended_or_never_was_takes_no_input(world: ProcessWorld, pipes: InputPipes) -> None:
    await world.run(reading(world.exits(0)))

    for incarnation in (1, 7):
        with pytest.raises(InvalidTransition, match="does not read its input"):
            await pipes.write("web", incarnation, b"x", within=1)


async def test_what_ends_while_it_is_given_input_is_told(world: ProcessWorld, pipes: InputPipes) -> None:
    incarnation = await start(world, reading(world.steady()), Ends())

    async def write() -> None:
        with pytest.raises(InvalidTransition, match="does not read its input"):
            await pipes.write("web", 1, bytes(100_000), within=10)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(write)
        await trio.sleep(0.02)
        await clear(world, incarnation)


def test_pipes_that_nobody_has_open_are_removed_and_others_are_not(tmp_path: Path) -> None:
    folder = tmp_path / "inputs"
    earlier = InputPipes(folder)
    held, gone = earlier.open("held", 1), earlier.open("gone", 1)
    os.close(gone)

    fresh = InputPipes(folder).open("web", 1)

    assert {path.name for path in folder.iterdir()} == {"held.1", "web.1"}
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "web.1").stat().st_mode & 0o777 == 0o600
    os.close(held)
    os.close(fresh)
