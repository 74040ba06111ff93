"""An ask ends exactly once, in the way that fits what happened."""

from __future__ import annotations

import gc

import pytest
import trio
import trio.testing
from attrs import frozen

from supervisor.errors import Conflict
from supervisor.runtime import (
    Actor,
    ActorNotFound,
    ActorRef,
    ActorStopped,
    AskTimeout,
    Context,
    Crashed,
    Reply,
    ReplyDropped,
    StartFailed,
    System,
    actor,
)
from supervisor.runtime.testing import Faults, ReplyBox, crash_at_every_point, run_with_clock, running
from tests.supervisor.runtime.parts import FOREVER, Ask, Do, Message, Note, Notebook, Read, read, root


async def test_a3_the_value_that_was_sent_is_the_answer(autojump_clock: object) -> None:
    async def answer(_context: Context[Message], reply: Reply[str]) -> None:
        assert not reply.answered
        assert reply.send("yes")
        assert reply.answered
        assert not reply.send("again")
        assert not reply.fail(Conflict("again"))

    async with running(root(actor("book", Notebook))) as system:
        assert await system.registry.ref("book").ask(lambda reply: Ask(answer, reply), timeout=1) == "yes"


async def test_a3_the_error_that_was_answered_is_raised(autojump_clock: object) -> None:
    async def refuse(_context: Context[Message], reply: Reply[str]) -> None:
        reply.fail(Conflict("not now"))

    async with running(root(actor("book", Notebook))) as system:
        ref = system.registry.ref("book")
        with pytest.raises(Conflict, match="not now"):
            await ref.ask(lambda reply: Ask(refuse, reply), timeout=1)

        assert await read(ref) == ()


async def test_a3_without_an_answer_the_deadline_ends_it_and_a_late_answer_is_ignored(autojump_clock: object) -> None:
    late: list[bool] = []

    async def dawdle(_context: Context[Message], reply: Reply[str]) -> None:
        assert reply.remaining() == pytest.approx(2)
        await trio.sleep(3)
        assert reply.remaining() == 0
        late.append(reply.send("late"))

    async with running(root(actor("book", Notebook))) as system:
        ref = system.registry.ref("book")
        with pytest.raises(AskTimeout, match="'book' did not answer within 2 s"):
            await ref.ask(lambda reply: Ask(dawdle, reply), timeout=2)
        assert trio.current_time() == pytest.approx(2)
        await read(ref)

    assert late == [False]


async def test_a3_a_crash_in_the_middle_of_the_message_is_told_at_once(autojump_clock: object) -> None:
    async def crash(_context: Context[Message], reply: Reply[str]) -> None:
        await trio.sleep(1)
        raise ValueError("poison")

    async with running(root(actor("book", Notebook, restart=FOREVER))) as system:
        with pytest.raises(ActorStopped, match="poison") as caught:
            await system.registry.ref("book").ask(lambda reply: Ask(crash, reply), timeout=50)

        assert isinstance(caught.value.exit, Crashed)
        assert trio.current_time() == pytest.approx(1)
        await trio.testing.wait_all_tasks_blocked()
        assert await read(system.registry.ref("book")) == ()


async def test_a3_a_reply_that_is_kept_can_be_sent_later_and_fails_when_its_keeper_ends(autojump_clock: object) -> None:
    kept: list[Reply[str]] = []

    async def keep(_context: Context[Message], reply: Reply[str]) -> None:
        kept.append(reply)

    async with running(root(actor("book", Notebook, restart=FOREVER))) as system, trio.open_nursery() as nursery:
        ref = system.registry.ref("book")
        answers: list[str] = []

        async def ask() -> None:
            try:
                answers.append(await ref.ask(lambda reply: Ask(keep, reply), timeout=50))
            except ActorStopped:
                answers.append("stopped")

        nursery.start_soon(ask)
        nursery.start_soon(ask)
        await trio.testing.wait_all_tasks_blocked()
        kept[0].send("later")
        await trio.testing.wait_all_tasks_blocked()
        assert answers == ["later"]

        async def crash(_context: Context[Message]) -> None:
            raise ValueError

        ref.tell(Do(crash))
        await trio.testing.wait_all_tasks_blocked()
        assert answers == ["later", "stopped"]
        assert not kept[1].send("too late")


async def test_a3_messages_that_were_never_handled_fail_their_asks(autojump_clock: object) -> None:
    async def block(_context: Context[Message]) -> None:
        await trio.sleep(1)
        raise ValueError

    async with running(root(actor("book", Notebook, restart=FOREVER))) as system:
        ref = system.registry.ref("book")
        ref.tell(Do(block))
        with pytest.raises(ActorStopped):
            await ref.ask(Read, timeout=50)
        assert trio.current_time() == pytest.approx(1)


async def test_a3_a_message_that_does_not_carry_its_reply_is_told_at_once(autojump_clock: object) -> None:
    async with running(root(actor("book", Notebook))) as system:
        with pytest.raises(ReplyDropped):
            await system.registry.ref("book").ask(lambda _reply: Note("x"), timeout=50)

        assert trio.current_time() < 1


async def test_a3_a_cancelled_ask_undoes_nothing_and_its_answer_goes_nowhere(autojump_clock: object) -> None:
    sent: list[bool] = []

    async def slow(context: Context[Message], reply: Reply[str]) -> None:
        await trio.sleep(2)
        sent.append(reply.send("x"))

    async with running(root(actor("book", Notebook))) as system:
        ref = system.registry.ref("book")
        with trio.move_on_after(1) as scope:
            await ref.ask(lambda reply: Ask(slow, reply), timeout=50)
        assert scope.cancelled_caught
        await read(ref)

    assert sent == [False]


async def test_an_ask_waits_for_room_within_its_deadline(autojump_clock: object) -> None:
    async def pause(_context: Context[Message]) -> None:
        await trio.sleep(1)

    async with running(root(actor("book", Notebook, mailbox=1))) as system:
        ref = system.registry.ref("book")
        ref.tell(Do(pause))
        await trio.testing.wait_all_tasks_blocked()
        ref.tell(Do(pause))
        assert ref.full

        assert await ref.ask(Read, timeout=10) == ()
        assert trio.current_time() == pytest.approx(2)


async def test_an_ask_that_never_found_room_leaves_no_message_behind(autojump_clock: object) -> None:
    handled: list[str] = []

    async def pause(_context: Context[Message]) -> None:
        await trio.sleep(5)

    async def work(_context: Context[Message], _reply: Reply[str]) -> None:
        handled.append("too late")

    async with running(root(actor("book", Notebook, mailbox=1))) as system:
        ref = system.registry.ref("book")
        ref.tell(Do(pause))
        await trio.testing.wait_all_tasks_blocked()
        ref.tell(Note("in"))
        with pytest.raises(AskTimeout):
            await ref.ask(lambda reply: Ask(work, reply), timeout=1)
        await trio.sleep(10)

        assert ref.pending == 0
        assert handled == []
        assert await read(ref) == ("in",)


async def test_asks_that_wait_for_room_fail_when_the_actor_ends(autojump_clock: object) -> None:
    async def crash(_context: Context[Message]) -> None:
        await trio.sleep(1)
        raise ValueError

    async with running(root(actor("book", Notebook, mailbox=1, restart=FOREVER))) as system:
        ref = system.registry.ref("book")
        ref.tell(Do(crash))
        await trio.testing.wait_all_tasks_blocked()
        ref.tell(Note("x"))
        with pytest.raises(ActorStopped):
            await ref.ask(Read, timeout=50)
        assert trio.current_time() == pytest.approx(1)


async def test_several_asks_wait_for_room_in_their_order(autojump_clock: object) -> None:
    handled: list[str] = []

    async def pause(_context: Context[Message]) -> None:
        await trio.sleep(1)

    async def ask(ref: ActorRef[Message], text: str) -> None:
        async def answer(_context: Context[Message], reply: Reply[str]) -> None:
            handled.append(text)
            reply.send(text)

        assert await ref.ask(lambda reply: Ask(answer, reply), timeout=10) == text

    async with running(root(actor("book", Notebook, mailbox=1))) as system, trio.open_nursery() as nursery:
        ref = system.registry.ref("book")
        ref.tell(Do(pause))
        await trio.testing.wait_all_tasks_blocked()
        for text in ("first", "second", "third"):
            nursery.start_soon(ask, ref, text)
            await trio.testing.wait_all_tasks_blocked()

    assert handled == ["first", "second", "third"]


async def test_a_reply_that_is_answered_before_the_message_is_sent_counts(autojump_clock: object) -> None:
    def answer_at_once(reply: Reply[str]) -> Message:
        reply.send("already")
        return Note("x")

    async with running(root(actor("book", Notebook))) as system:
        assert await system.registry.ref("book").ask(answer_at_once, timeout=1) == "already"


def test_a_message_that_cannot_be_built_fails_its_ask_and_nothing_else() -> None:
    caught: list[Exception] = []

    def broken(reply: Reply[str]) -> Message:
        raise ValueError("no message")

    async def main() -> None:
        async with running(root(actor("book", Notebook))) as system:
            ref = system.registry.ref("book")
            for _ in range(2):
                try:
                    await ref.ask(broken, timeout=1)
                except ValueError as error:
                    caught.append(error)
            # The traceback kept the reply alive; now it goes, in the middle of the run ...
            caught.pop()
            gc.collect()
            assert await read(ref) == ()

    run_with_clock(main)
    # ... and after it.
    caught.clear()
    gc.collect()


@frozen
class Forward:
    """A request that is passed on."""

    reply_to: Reply[str]


class Desk(Actor[Forward | None]):
    """Passes every request on; crashes on None."""

    def __init__(self, to: str) -> None:
        self.to = to

    async def handle(self, message: Forward | None, context: Context[Forward | None]) -> None:
        if message is None:
            raise ValueError("the desk")
        context.system.registry.ref(self.to).tell(message)


class Keeper(Actor[Forward | str]):
    """Keeps requests; a text answers or crashes."""

    def __init__(self) -> None:
        self.kept: list[Reply[str]] = []

    async def handle(self, message: Forward | str, context: Context[Forward | str]) -> None:
        match message:
            case Forward(reply):
                self.kept.append(reply)
            case "crash":
                raise ValueError("the keeper")
            case text:
                for reply in self.kept:
                    reply.send(text)


@pytest.mark.parametrize(("then", "answer"), [("hello", "hello"), ("crash", "'keeper' crashed")])
async def test_a3_whoever_got_the_message_last_answers_for_it(then: str, answer: str, autojump_clock: object) -> None:
    tree = root(actor("desk", lambda: Desk("keeper"), restart=FOREVER), actor("keeper", Keeper, restart=FOREVER))
    async with running(tree) as system, trio.open_nursery() as nursery:
        answers: list[str] = []

        async def ask() -> None:
            try:
                answers.append(await system.registry.ref("desk").ask(Forward, timeout=50))
            except ActorStopped as stopped:
                answers.append(str(stopped))

        nursery.start_soon(ask)
        await trio.testing.wait_all_tasks_blocked()
        system.registry.ref("keeper").tell(then)
        await trio.testing.wait_all_tasks_blocked()

        assert len(answers) == 1
        assert answer in answers[0]


async def test_a3_a_request_that_was_passed_on_survives_the_end_of_the_desk(autojump_clock: object) -> None:
    async with trio.open_nursery() as nursery:
        tree = root(actor("keeper", Keeper), actor("desk", lambda: Desk("keeper"), restart=FOREVER))
        async with running(tree) as system:
            answers: list[str] = []

            async def ask() -> None:
                answers.append(await system.registry.ref("desk").ask(Forward, timeout=50))

            nursery.start_soon(ask)
            await trio.testing.wait_all_tasks_blocked()
            system.registry.ref("desk").tell(None)
            await trio.testing.wait_all_tasks_blocked()
            system.registry.ref("keeper").tell("still here")
            await trio.testing.wait_all_tasks_blocked()

            assert answers == ["still here"]


async def test_a_request_that_is_passed_on_after_its_asker_has_gone_is_no_harm(autojump_clock: object) -> None:
    class SlowDesk(Desk):
        """Takes its time."""

        async def handle(self, message: Forward | None, context: Context[Forward | None]) -> None:
            await trio.sleep(2)
            await super().handle(message, context)

    tree = root(actor("keeper", Keeper), actor("desk", lambda: SlowDesk("keeper")))
    async with running(tree) as system:
        with trio.move_on_after(1):
            await system.registry.ref("desk").ask(Forward, timeout=50)
        await trio.sleep(2)
        keeper = system.registry.ref("keeper")
        keeper.tell("too late")
        await trio.testing.wait_all_tasks_blocked()

        assert keeper.pending == 0
        assert not keeper.stopped


async def test_a_name_that_nobody_has_is_told_as_such(autojump_clock: object) -> None:
    async with running(root()) as system:
        assert system.registry.whereis("nobody") is None
        with pytest.raises(ActorNotFound, match="'nobody'"):
            system.registry.ref("nobody")


class Breakable(Actor[Message]):
    """Passes a point at which it may crash before, during and after everything it does."""

    def __init__(self, faults: Faults) -> None:
        self.faults = faults

    async def pre_start(self, context: Context[Message]) -> None:
        await self.faults.point("pre_start")

    async def handle(self, message: Message, context: Context[Message]) -> None:
        await self.faults.point("before")
        if isinstance(message, Read):
            await self.faults.point("during")
            message.reply_to.send(("ok",))
        await self.faults.point("after")

    async def post_stop(self, context: Context[Message], reason: object) -> None:
        await self.faults.point("post_stop")


class AsksWhileItBreaks:
    """Three askers at once, and a crash somewhere."""

    def __init__(self, faults: Faults) -> None:
        self.faults = faults
        self.ends: list[str] = []
        self.asked = 0

    async def ask(self, ref: ActorRef[Message]) -> None:
        self.asked += 1
        try:
            (answer,) = await ref.ask(Read, timeout=5)
            self.ends.append(answer)
        except ActorStopped:
            self.ends.append("stopped")

    async def run(self) -> None:
        system = System()
        # The first start may fail on purpose: then nobody asks, and the root says why it did not come up.
        try:
            async with (
                running(root(actor("b", lambda: Breakable(self.faults), restart=FOREVER)), system=system),
                trio.open_nursery() as nursery,
            ):
                ref = system.registry.ref("b")
                for _ in range(3):
                    nursery.start_soon(self.ask, ref)
        except StartFailed:
            if self.faults.passed != ["pre_start"]:
                raise

    def check(self) -> None:
        assert len(self.ends) == self.asked
        if not self.faults.raised:
            assert self.ends == ["ok"] * 3


def test_a3_with_a_crash_at_any_point_every_ask_ends_exactly_once() -> None:
    assert crash_at_every_point(AsksWhileItBreaks) > 10


def test_a_box_shows_what_was_answered() -> None:
    box: ReplyBox[int] = ReplyBox()
    with pytest.raises(LookupError):
        _ = box.value
    reply = box.reply()

    assert reply.send(3)
    assert not reply.fail(Conflict("x"))
    assert box.value == 3


def test_a_box_shows_that_a_reply_was_thrown_away_or_came_too_late() -> None:
    thrown: ReplyBox[int] = ReplyBox()
    thrown.reply()
    late: ReplyBox[int] = ReplyBox()
    late.give_up()

    assert thrown.dropped
    assert not late.reply().send(1)
