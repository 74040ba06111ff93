"""The end of the daemon: asked for by signals or the API, carried out by the tree, bounded by a deadline of its own."""

from __future__ import annotations

import logging
import signal
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from typing import Final, NoReturn

import trio

from hoody.daemon.control import Control
from hoody.daemon.stopping_file import write_waiting_for
from hoody.home import Home
from supervisor.runtime import ChildState, System, TreeNode
from supervisor.units.dependency import address_of
from supervisor.units.graph import longest_path, with_chains
from supervisor.units.status import UnitView

MARGIN: Final = 30.0
"""Seconds that a stop may take beyond the longest stop timeout of a unit: clearing, logs, the store."""
LAST_CALL: Final = 15.0
"""Seconds from the hurry at the end of that time to leaving whatever is stuck behind."""
TELL_EVERY: Final = 0.5
_ENDING: Final = frozenset({ChildState.STOPPING, ChildState.STUCK})

_log = logging.getLogger("hoody.daemon")


async def obey_signals(
    signals: AsyncIterator[int], control: Control, reopen: Callable[[], None], *, apply: Callable[[], None]
) -> None:
    """Do what signals ask for: TERM and INT end the daemon, once more hurries, HUP takes up changed files.

    ``apply`` begins to apply the daemon's own declaration; it does not wait.
    """
    async for number in signals:
        name = signal.Signals(number).name
        if number == signal.SIGHUP:
            reopen()
            _log.info("%s: the log was opened again, and the token is read again", name)
            control.reload_token()
            apply()
        else:
            _log.info("received %s", name)
            control.shutdown(leave_units=False)


async def stop_when_asked(
    system: System,
    control: Control,
    home: Home,
    *,
    views: Callable[[], Iterable[UnitView]],
    chains: Callable[[], Iterable[Sequence[str]]] = tuple,
    give_up: Callable[[], NoReturn],
) -> None:
    """Wait until the end is asked for, then see it through.

    Past its time the stop is hurried, and past that ``give_up`` ends the process without what is stuck: a thread or a
    task that hangs would keep it for ever. Units that are left running by that are found again by the next daemon.
    """
    await control.stopping.wait()

    def hurry() -> None:
        control.departure.hurried.set()
        system.hurry()

    control.hurry = hurry
    limit = MARGIN + (longest_stop(views(), chains()) if control.departure.take_units else 0.0)
    system.shutdown("the daemon was asked to end")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_tell, system, home)
        await trio.sleep(limit)
        _log.error(
            "the end takes longer than %g s; hurrying", limit, extra={"waiting_for": list(unfinished(system.tree()))}
        )
        hurry()
        await trio.sleep(LAST_CALL)
        _log.critical("these cannot be ended and are left behind: %s", ", ".join(unfinished(system.tree())))
        give_up()


def longest_stop(views: Iterable[UnitView], chains: Iterable[Sequence[str]] = ()) -> float:
    """Return how long the units may take to stop, side by side but each behind those that depend on it."""
    found = {f"{view.kind.value}s/{view.name}": view.spec for view in views}
    graph = {
        address: tuple(address_of(said, address.partition("/")[0]) for said in spec.depends_on)
        for address, spec in found.items()
        if spec.depends_on
    }
    graph = with_chains(graph, ([at for at in chain if at in found] for chain in chains))
    return longest_path(graph, lambda address: found[address].stop_timeout, found)


def unfinished(node: TreeNode) -> Iterator[str]:
    """Yield the names of those leaves of the tree that were asked to end and have not ended yet."""
    if not node.children and node.state in _ENDING:
        yield node.id
    for child in node.children:
        yield from unfinished(child)


async def _tell(system: System, home: Home) -> None:
    """Tell whoever waits for the end what it waits for, while the API is down already."""
    while True:
        await trio.sleep(TELL_EVERY)
        names = tuple(unfinished(system.tree()))
        try:
            await trio.to_thread.run_sync(write_waiting_for, home, names, abandon_on_cancel=True)
        except OSError as error:
            _log.warning("%s cannot be written: %s", home.stopping_file, error)
            return
