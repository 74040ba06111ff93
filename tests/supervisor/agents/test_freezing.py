"""A pause of real processes: the whole tree stops, and runs on."""

from __future__ import annotations

from supervisor.agents.identity import read_stat
from tests.supervisor.agents.world import ProcessWorld
from tests.supervisor.contract import Ends, clear, start


def states(pids: set[int]) -> set[str]:
    found = (read_stat(pid) for pid in pids)
    return {stat.state for stat in found if stat is not None}


async def test_a_pause_stops_the_whole_tree_and_a_resume_lets_it_run_on(world: ProcessWorld) -> None:
    """Also what has left the session and lost its parent."""
    script = "(setsid sh -c 'echo $$ >left; exec sleep 1000' &); until [ -s left ]; do sleep 0.01; done; "
    ends = Ends()
    incarnation = await start(world, world.shell(script + "sleep 1000 & sleep 1000 & $READY; wait"), ends)
    main = incarnation.identity.pid
    tree = {main, *world.helpers_of(main), int((world.folder / "left").read_text())}
    assert len(tree) == 4

    await incarnation.freeze(frozen=True)
    await world.until(lambda: states(tree) == {"T"})
    await incarnation.freeze(frozen=True)
    await incarnation.freeze(frozen=False)
    await world.until(lambda: states(tree) == {"S"})

    await ends.none(world)
    assert await clear(world, incarnation) == ()


async def test_what_is_frozen_is_cleared_like_anything_else(world: ProcessWorld) -> None:
    incarnation = await start(world, world.leaves_helpers(), Ends())
    await incarnation.freeze(frozen=True)

    assert await clear(world, incarnation) == ()


async def test_to_freeze_what_has_ended_is_harmless(world: ProcessWorld) -> None:
    ends = Ends()
    incarnation = await start(world, world.exits(0), ends)
    await ends.one(world)

    await incarnation.freeze(frozen=True)
    await incarnation.freeze(frozen=False)
