"""Small actors that several tests of the runtime share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from attrs import frozen

from supervisor.runtime import Actor, ActorRef, ChildSpec, Context, Reply, RestartPolicy, Strategy, supervisor
from supervisor.runtime.policy import NO_BACKOFF, OnGiveUp

FOREVER = RestartPolicy(backoff=NO_BACKOFF, max_restarts=1000, period=1.0, on_give_up=OnGiveUp.ESCALATE)


@frozen
class Note:
    """Keep ``text``."""

    text: str


@frozen
class Read:
    """Answer with everything kept."""

    reply_to: Reply[tuple[str, ...]]


@frozen
class Do:
    """Run ``work`` inside the handler."""

    work: Callable[[Context[Message]], Awaitable[None]]


@frozen
class Ask:
    """Run ``work`` inside the handler with a reply."""

    work: Callable[[Context[Message], Reply[str]], Awaitable[None]]
    reply_to: Reply[str]


Message: TypeAlias = Note | Read | Do | Ask


class Notebook(Actor[Message]):
    """Keeps notes, and does whatever it is told."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    async def handle(self, message: Message, context: Context[Message]) -> None:
        match message:
            case Note(text):
                self.notes.append(text)
            case Read(reply):
                reply.send(tuple(self.notes))
            case Do(work):
                await work(context)
            case Ask(work, reply):
                await work(context, reply)


def root(*children: ChildSpec, strategy: Strategy = Strategy.ONE_FOR_ONE) -> ChildSpec:
    return supervisor("root", strategy=strategy, children=children)


async def read(ref: ActorRef[Message]) -> tuple[str, ...]:
    return await ref.ask(Read, timeout=5)
