"""Runs the few commands that wait for several things at once, on trio."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar

from supervisor.errors import HoodyError

T = TypeVar("T")
_TELLING = (KeyboardInterrupt, BrokenPipeError, HoodyError)
"""What an ending is reported as when several things went wrong at once, most important first."""


def run_with_trio(task: Callable[[], Awaitable[T]]) -> T:
    """Run ``task``; raise the one error that tells most where trio raises a group of them."""
    import trio

    try:
        return trio.run(task)
    except BaseExceptionGroup as group:
        raise _most_telling(group) from group


def _most_telling(group: BaseExceptionGroup[BaseException]) -> BaseException:
    leaves = list(_leaves(group))
    for kind in _TELLING:
        for leaf in leaves:
            if isinstance(leaf, kind):
                return leaf
    return leaves[0]


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for part in error.exceptions:
            yield from _leaves(part)
    else:
        yield error
