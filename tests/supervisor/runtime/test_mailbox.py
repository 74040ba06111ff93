"""What happens to a message: order, room, loss."""

from __future__ import annotations

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from supervisor.runtime import (
    Actor,
    ActorRef,
    ActorStopped,
    ChildEnded,
    Context,
    Crashed,
    DeadLetter,
    MailboxFull,
    Reply,
    ReplyDropped,
    SpecError,
    System,
    actor,
)
from supervisor.runtime.mailbox import Mailbox
from supervisor.runtime.ref import mailbox_of
from supervisor.runtime.testing import EventLog, run_with_clock, running
from tests.supervisor.runtime.parts import FOREVER, Ask, Do, Message, Note, Notebook, Read, read, root


async def nothing(_context: Context[Message]) -> None:
    """Do nothing."""


async def test_a1_the_messages_of_one_sender_are_handled_in_order(autojump_clock: object) -> None:
    async with running(root(actor("book", Notebook))) as system:
        ref = system.registry.ref("book")
        for number in range(200):
            ref.tell(Note(str(number)))

        assert await read(ref) == tuple(map(str, range(200)))


async def test_a1_the_system_lane_comes_first(autojump_clock: object) -> None:
    async with running(root(actor("book", Notebook))) as system:
        ref = system.registry.ref("book")

        async def post_and_tell(context: Context[Message]) -> None:
            ref.tell(Note("told"))
            context.post(Note("posted"))

        ref.tell(Do(post_and_tell))
        await trio.testing.wait_all_tasks_blocked()

        assert await read(ref) == ("posted", "told")


async def test_a1_one_handler_runs_at_a_time(autojump_clock: object) -> None:
    inside = most = 0

    async def linger(_context: Context[Message]) -> None:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        await trio.sleep(1)
        inside -= 1

    async with running(root(actor("book", Notebook))) as system:
        ref = system.registry.ref("book")
        for _ in range(3):
            ref.tell(Do(linger))
        await read(ref)

    assert most == 1


async def test_a_busy_actor_lets_others_run(autojump_clock: object) -> None:
    async with running(root(actor("busy", Notebook), actor("other", Notebook))) as system:
        busy, other = system.registry.ref("busy"), system.registry.ref("other")
        for _ in range(1000):
            busy.tell(Do(nothing))
        await trio.lowlevel.checkpoint()
        other.tell(Note("hello"))
        for _ in range(3):
            await trio.lowlevel.checkpoint()

        assert other.pending == 0
        assert busy.pending > 0


async def test_a7_a_full_mailbox_refuses_and_changes_nothing(autojump_clock: object) -> None:
    async with running(root(actor("book", Notebook, mailbox=2))) as system:
        ref = system.registry.ref("book")
        ref.tell(Note("1"))
        assert ref.offer(Note("2"))
        assert ref.full

        with pytest.raises(MailboxFull):
            ref.tell(Note("3"))
        assert not ref.offer(Note("4"))
        await trio.testing.wait_all_tasks_blocked()

        assert await read(ref) == ("1", "2")


async def test_the_system_lane_is_never_full(autojump_clock: object) -> None:
    async with running(root(actor("book", Notebook, mailbox=1))) as system:
        ref = system.registry.ref("book")

        async def post_many(context: Context[Message]) -> None:
            for number in range(10):
                context.post(Note(str(number)))

        ref.tell(Do(post_many))
        await trio.testing.wait_all_tasks_blocked()

        assert len(await read(ref)) == 10


async def test_a_stopped_actor_refuses_and_says_why(autojump_clock: object) -> None:
    async with running(root(actor("book", Notebook))) as system:
        ref = system.registry.ref("book")

    assert ref.stopped
    with pytest.raises(ActorStopped, match="was stopped"):
        ref.tell(Note("late"))
    assert not ref.offer(Note("late"))
    with pytest.raises(ActorStopped):
        await ref.ask(Read, timeout=1)


async def test_messages_that_wait_when_an_actor_ends_become_counted_dead_letters(autojump_clock: object) -> None:
    log = EventLog()
    system = System()
    system.telemetry.attach(log)

    async def stop(context: Context[Message]) -> None:
        context.stop()

    async with running(root(actor("book", Notebook, restart=FOREVER)), system=system):
        ref = system.registry.ref("book")
        ref.tell(Do(stop))
        for number in range(25):
            ref.tell(Note(str(number)))
        await trio.testing.wait_all_tasks_blocked()

        assert system.dead_letters.total == 25
        assert len(log.of(DeadLetter)) == 10
        await trio.sleep(2)
        system.dead_letters.add("somebody", Note("later"))
        assert log.of(DeadLetter)[-1] == DeadLetter(actor="somebody", message="Note", suppressed=15)
        system.dead_letters.add("somebody", Note("later still"))
        assert log.of(DeadLetter)[-1] == DeadLetter(actor="somebody", message="Note", suppressed=0)


async def test_a_post_after_the_end_is_a_dead_letter_and_never_an_error(autojump_clock: object) -> None:
    contexts: list[Context[Message]] = []

    async def remember(context: Context[Message]) -> None:
        contexts.append(context)

    async with running(root(actor("book", Notebook))) as system:
        system.registry.ref("book").tell(Do(remember))
        await trio.testing.wait_all_tasks_blocked()

    contexts[0].post(Note("late"))

    assert system.dead_letters.total == 1


async def test_with_drain_a_stop_handles_what_was_accepted_and_takes_nothing_more(autojump_clock: object) -> None:
    books: list[Notebook] = []

    def make() -> Notebook:
        books.append(Notebook())
        return books[-1]

    async def pause(_context: Context[Message]) -> None:
        await trio.sleep(1)

    async with running(root(actor("book", make, drain=True))) as system:
        ref = system.registry.ref("book")
        ref.tell(Do(pause))
        for text in ("a", "b"):
            ref.tell(Note(text))
        await trio.testing.wait_all_tasks_blocked()
        system.shutdown("test")
        await trio.sleep(1.5)
        with pytest.raises(ActorStopped):
            ref.tell(Note("c"))

    assert books[0].notes == ["a", "b"]


def test_an_actor_needs_room_for_a_message() -> None:
    with pytest.raises(SpecError):
        actor("book", Notebook, mailbox=0)


class Stasher(Actor[str]):
    """Puts everything aside until it is told to open."""

    def __init__(self, seen: list[str]) -> None:
        self.seen = seen
        self.open = False

    async def handle(self, message: str, context: Context[str]) -> None:
        if message == "open":
            self.open = True
            context.unstash()
        elif self.open:
            self.seen.append(message)
        else:
            context.stash(message)


async def test_what_was_put_aside_comes_back_first_and_in_order(autojump_clock: object) -> None:
    seen: list[str] = []
    async with running(root(actor("stasher", lambda: Stasher(seen)))) as system:
        ref: ActorRef[str] = system.registry.ref("stasher")
        for text in ("a", "b", "open", "c"):
            ref.tell(text)
        await trio.testing.wait_all_tasks_blocked()

    assert seen == ["a", "b", "c"]
    assert system.dead_letters.total == 0


async def test_what_is_put_aside_takes_up_room_and_is_not_lost_silently(autojump_clock: object) -> None:
    async with running(root(actor("stasher", lambda: Stasher([]), mailbox=2))) as system:
        ref: ActorRef[str] = system.registry.ref("stasher")
        for text in ("a", "b"):
            ref.tell(text)
        await trio.testing.wait_all_tasks_blocked()
        assert ref.full
        assert ref.pending == 2
        with pytest.raises(MailboxFull):
            ref.tell("c")

    assert system.dead_letters.total == 2


async def test_what_finds_no_room_aside_is_an_error_and_unstashing_nothing_is_none(autojump_clock: object) -> None:
    log = EventLog()
    system = System()
    system.telemetry.attach(log)

    class Overfull(Actor[str]):
        """Tries to put aside what newer messages have taken the room of."""

        async def handle(self, message: str, context: Context[str]) -> None:
            context.unstash()
            await trio.sleep(1)
            context.stash(message)

    async with running(root(actor("o", Overfull, mailbox=1, restart=FOREVER)), system=system):
        ref: ActorRef[str] = system.registry.ref("o")
        ref.tell("a")
        await trio.testing.wait_all_tasks_blocked()
        ref.tell("b")
        ended = await log.wait_for(ChildEnded)

    assert isinstance(ended.reason, Crashed)
    assert isinstance(ended.reason.error, MailboxFull)


class Fragile(Actor[int]):
    """Crashes on negative numbers, waits on odd ones."""

    async def handle(self, message: int, context: Context[int]) -> None:
        if message < 0:
            raise ValueError(message)
        if message % 2:
            await trio.sleep(message)


@given(st.lists(st.tuples(st.integers(-2, 5), st.floats(0, 3)), max_size=30), st.integers(1, 4))
def test_a2_a7_nothing_is_lost_or_doubled_at_any_quiet_moment(script: list[tuple[int, float]], capacity: int) -> None:
    boxes: set[Mailbox[int]] = set()
    refused = 0

    def check() -> None:
        for box in boxes:
            assert box.accepted == box.handled + box.dead + box.pending
            assert 0 <= box.pending <= capacity
            assert box.exit is None or box.pending == 0

    async def main() -> None:
        nonlocal refused
        spec = actor("fragile", Fragile, mailbox=capacity, restart=FOREVER)
        async with running(root(spec)) as system:
            for number, pause in script:
                ref = system.registry.whereis("fragile")
                if ref is None or not ref.offer(number):
                    refused += 1
                else:
                    boxes.add(mailbox_of(ref))
                await trio.sleep(pause)
                await trio.testing.wait_all_tasks_blocked()
                check()
        check()
        assert sum(box.accepted for box in boxes) == len(script) - refused
        assert system.dead_letters.total == sum(box.dead for box in boxes)

    run_with_clock(main)


async def test_a_handled_message_is_not_kept_alive(autojump_clock: object) -> None:
    dropped: list[str] = []

    async def drop(_context: Context[Message], reply: Reply[str]) -> None:
        dropped.append("handled")

    async with running(root(actor("book", Notebook))) as system:
        with pytest.raises(ReplyDropped):
            await system.registry.ref("book").ask(lambda reply: Ask(drop, reply), timeout=100)
        assert trio.current_time() < 1
