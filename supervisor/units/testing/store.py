"""A store without a disk: the protocol of the real one, kept in memory."""

from __future__ import annotations

import trio
from attrs import define, evolve, field

from supervisor.errors import NotFound, StorageError
from supervisor.runtime import Actor, ChildSpec, Context, actor
from supervisor.store.entry import Entry
from supervisor.store.messages import (
    AppendEvents,
    EventRequest,
    FindEvents,
    ForgetDocument,
    ForgetUnit,
    GetEventBounds,
    LoadDocuments,
    LoadUnit,
    LoadUnits,
    NoteProgress,
    SaveDesired,
    SaveDocument,
    SaveUnit,
    SaveUnits,
    StoreRequest,
    UnitRecord,
)
from supervisor.units.status import Kind


@define(eq=False)
class Shelf:
    """What a :class:`MemoryStore` keeps; it outlives the actor, as a disk does."""

    records: dict[tuple[Kind, str], UnitRecord] = field(factory=dict)
    documents: dict[tuple[str, str], str] = field(factory=dict)
    log: list[StoreRequest] = field(factory=list)
    """Everything that was asked, notes included, in order."""
    events: list[Entry] = field(factory=list)
    broken: str | None = None
    """The sentence with which writes are refused; None: they work."""
    delay: float = 0.0
    """How long a request takes."""

    def record(self, name: str, kind: Kind = Kind.AGENT) -> UnitRecord:
        """Return what is kept of a unit."""
        return self.records[kind, name]


class MemoryStore(Actor[StoreRequest]):
    """Answers the requests in their order, as the real one does. Registered as "store"."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    async def handle(self, message: StoreRequest, context: Context[StoreRequest]) -> None:  # noqa: ARG002
        """Carry out one request."""
        shelf = self._shelf
        if shelf.delay and not isinstance(message, NoteProgress):
            await trio.sleep(shelf.delay)
        shelf.log.append(message)
        match message:
            case LoadUnit(kind=kind, name=name):
                message.reply_to.send(shelf.records.get((kind, name)))
            case LoadUnits(kind=kind):
                found = [record for record in shelf.records.values() if record.kind.value == kind.value]
                message.reply_to.send(tuple(sorted(found, key=lambda record: record.name)))
            case NoteProgress(kind=kind, name=name, progress=progress):
                if (kind, name) in shelf.records:
                    shelf.records[kind, name] = evolve(shelf.records[kind, name], progress=progress)
            case LoadDocuments(kind=kind):
                kept = sorted((key[1], text) for key, text in shelf.documents.items() if key[0] == kind)
                message.reply_to.send(tuple(kept))
            case SaveDocument() | ForgetDocument() if shelf.broken is not None:
                message.reply_to.fail(StorageError(shelf.broken))
            case SaveDocument(kind=kind, name=name, text=text):
                shelf.documents[kind, name] = text
                message.reply_to.send(None)
            case ForgetDocument(kind=kind, name=name):
                shelf.documents.pop((kind, name), None)
                message.reply_to.send(None)
            case SaveUnit() | SaveUnits() | SaveDesired() | ForgetUnit():
                self._write(message)
            case AppendEvents() | FindEvents() | GetEventBounds():
                self._on_events(message)

    def _on_events(self, message: EventRequest) -> None:
        shelf = self._shelf
        match message:
            case AppendEvents(entries=entries, keep=keep, since=since):
                if shelf.broken is not None:
                    message.reply_to.fail(StorageError(shelf.broken))
                    return
                shelf.events += entries
                last = shelf.events[-1].number
                shelf.events = [
                    entry
                    for entry in shelf.events
                    if entry.number == last or (entry.number > last - keep and entry.time >= since)
                ]
                message.reply_to.send(shelf.events[0].number)
            case FindEvents(search=search):
                found = [
                    entry
                    for entry in shelf.events
                    if search.after < entry.number <= search.upto
                    and search.which.takes(entry)
                    and (search.since is None or entry.time >= search.since)
                ]
                message.reply_to.send(tuple(found[-search.most :] if search.newest else found[: search.most]))
            case GetEventBounds():
                numbers = [entry.number for entry in shelf.events] or [1, 0]
                message.reply_to.send((numbers[0], numbers[-1]))

    def _write(self, message: SaveUnit | SaveUnits | SaveDesired | ForgetUnit) -> None:
        records = self._shelf.records
        if self._shelf.broken is not None:
            message.reply_to.fail(StorageError(self._shelf.broken))
            return
        match message:
            case SaveUnit(record=record):
                self._put(record)
            case SaveUnits(records=saved, forget=forget, documents=documents, forget_documents=unwanted):
                for record in saved:
                    self._put(record)
                for gone in forget:
                    records.pop(gone, None)
                self._shelf.documents.update({(kind, name): text for kind, name, text in documents})
                for key in unwanted:
                    self._shelf.documents.pop(key, None)
            case SaveDesired(kind=kind, name=name, desired=desired):
                if (kind, name) not in records:
                    message.reply_to.fail(NotFound(f"there is no {kind.value} {name!r}"))
                    return
                records[kind, name] = evolve(records[kind, name], desired=desired)
            case ForgetUnit(kind=kind, name=name):
                records.pop((kind, name), None)
        message.reply_to.send(None)

    def _put(self, record: UnitRecord) -> None:
        records, key = self._shelf.records, (record.kind, record.name)
        records[key] = evolve(record, progress=records[key].progress) if key in records else record


def memory_store(shelf: Shelf, *, mailbox: int = 100_000) -> ChildSpec:
    """Describe the store as a child of a tree."""
    return actor("store", lambda: MemoryStore(shelf), mailbox=mailbox, drain=True)
