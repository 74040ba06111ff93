"""What a type checker knows about refs, asks and replies. Checked by ``test_runtime_generics.py``; never run.

A line that must be refused carries an ignore with its code: strict mypy reports ignores that are not needed.
"""

from __future__ import annotations

from typing import assert_type

from attrs import frozen

from supervisor.runtime import Actor, ActorRef, Context, Reply, Stopped
from supervisor.runtime.testing import Probe, ReplyBox


@frozen
class Get:
    """Asks for a text."""

    key: str
    reply_to: Reply[str]


@frozen
class Count:
    """Asks for a number."""

    reply_to: Reply[int]


class Shelf(Actor[Get | Count]):
    """Takes two kinds of messages."""

    async def handle(self, message: Get | Count, context: Context[Get | Count]) -> None:
        """Answer each with its own type."""
        match message:
            case Get(key, reply):
                assert_type(reply, Reply[str])
                reply.send(key)
                reply.send(3)  # type: ignore[arg-type]
            case Count(reply):
                reply.send(3)
        assert_type(context.ref, ActorRef[Get | Count])
        context.post("a text")  # type: ignore[arg-type]
        context.start_timer("key", 1.0, "a text")  # type: ignore[arg-type]


class Wrong(Actor[Get]):
    """Handles something else than it takes."""

    async def handle(self, message: int, context: Context[Get]) -> None:  # type: ignore[override]
        """Never."""


async def asks(ref: ActorRef[Get | Count]) -> None:
    """Each ask has the type of the reply in its message."""
    assert_type(await ref.ask(Count, timeout=1), int)
    # A lambda takes the type from where its answer goes, and is refused where that does not fit.
    text: str = await ref.ask(lambda reply: Get("k", reply), timeout=1)
    number: int = await ref.ask(lambda reply: Get("k", reply), timeout=1)  # type: ignore[arg-type]
    assert_type((text, number), tuple[str, int])
    ref.tell("a text")  # type: ignore[arg-type]
    ref.offer(3)  # type: ignore[arg-type]
    await ref.ask(Count)  # type: ignore[call-arg]


async def tasks(context: Context[Get]) -> None:
    """A task is given what it takes."""

    async def task(number: int, text: str) -> None:
        """Do nothing."""

    context.spawn(task, 1, "x")
    context.spawn(task, "x", 1)  # type: ignore[arg-type]


async def kit(probe: Probe[Get], box: ReplyBox[int]) -> None:
    """The testing kit keeps the types."""
    assert_type(probe.ref, ActorRef[Get])
    assert_type(box.reply(), Reply[int])
    assert_type(box.value, int)


assert_type(Stopped("x").detail, str)
