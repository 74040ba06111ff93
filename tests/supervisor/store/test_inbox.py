"""What waits for the next transaction: order, and notes that replace each other."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from supervisor.store.inbox import LARGEST_BATCH, Inbox
from supervisor.store.messages import ForgetUnit, LiveRecord, LoadUnit, NoteProgress, Progress, StoreRequest
from supervisor.units.driver import Identity
from supervisor.units.status import Kind

NOBODY: Any = None


def note(number: int, name: str = "web") -> NoteProgress:
    return NoteProgress(kind=Kind.AGENT, name=name, progress=Progress(incarnation=number))


def load(name: str) -> LoadUnit:
    return LoadUnit(kind=Kind.AGENT, name=name, reply_to=NOBODY)


def forget(name: str) -> ForgetUnit:
    return ForgetUnit(kind=Kind.AGENT, name=name, reply_to=NOBODY)


names = st.sampled_from(["a", "b"])
requests = st.one_of(st.builds(note, st.integers(0, 99), names), st.builds(load, names), st.builds(forget, names))


def filled(*sent: StoreRequest) -> Inbox:
    inbox = Inbox()
    for request in sent:
        inbox.add(request)
    return inbox


def seen(batch: list[StoreRequest]) -> list[tuple[str, dict[str, Progress]]]:
    """Return what each request with an asker sees of the notes, and what is there in the end."""
    known: dict[str, Progress] = {}
    moments: list[tuple[str, dict[str, Progress]]] = []
    for request in batch:
        if isinstance(request, NoteProgress):
            known[request.name] = request.progress
        else:
            moments.append((f"{type(request).__name__} {request.name}", dict(known)))
            if isinstance(request, ForgetUnit):
                known.pop(request.name, None)
    return [*moments, ("end", known)]


def test_a_later_note_takes_the_place_of_an_earlier_one() -> None:
    assert filled(note(1), note(1, "other"), note(2)).take() == [note(2), note(1, "other")]


def test_notes_are_not_merged_across_a_request() -> None:
    sent = [note(1), load("web"), note(2)]

    assert filled(*sent).take() == sent


def test_word_of_a_living_process_does_not_wait_for_company() -> None:
    live = LiveRecord(
        incarnation=1, identity=Identity(pid=1, start_time=1, boot_id=""), started_at=datetime(2030, 1, 1, tzinfo=UTC)
    )
    inbox = filled(note(1))
    assert not inbox.urgent

    inbox.add(NoteProgress(kind=Kind.AGENT, name="web", progress=Progress(incarnation=1, live=live)))

    assert inbox.urgent
    inbox.take()
    assert not inbox.urgent
    inbox.add(load("web"))
    assert inbox.urgent


@given(st.lists(requests, max_size=30))
def test_dropping_notes_changes_nothing_that_anybody_can_see(sent: list[StoreRequest]) -> None:
    assert seen(filled(*sent).take()) == seen(sent)


@given(st.lists(requests, max_size=30), st.lists(st.builds(note, st.integers(0, 99), names), max_size=3))
def test_notes_that_are_put_back_come_before_everything_newer(
    sent: list[StoreRequest], back: list[NoteProgress]
) -> None:
    inbox = filled(*sent)

    inbox.put_back(back)

    assert inbox.asked == sum(not isinstance(request, NoteProgress) for request in sent)
    assert seen(inbox.take()) == seen([*back, *sent])


def test_a_batch_is_bounded_and_the_rest_stays_in_order() -> None:
    sent: list[StoreRequest] = [load(f"unit-{number}") for number in range(LARGEST_BATCH + 5)]
    inbox = filled(*sent)

    assert (len(inbox), inbox.asked) == (LARGEST_BATCH + 5, LARGEST_BATCH + 5)
    assert inbox.take() == sent[:LARGEST_BATCH]
    assert (len(inbox), inbox.asked) == (5, 5)
    assert inbox.take() == sent[LARGEST_BATCH:]
    assert not inbox
