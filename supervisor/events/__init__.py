"""What has happened, told: typed events, numbered, kept on disk, and handed to whoever follows.

``EventLog`` takes the events in and is the child ``events`` of the tree (its ``serve``). Readers hold a number, the
place that they are at, and ask for what comes after it; nothing is kept per reader.
"""

from supervisor.events.journal import Journal, Retention
from supervisor.events.log import EventLog, Snapshot
from supervisor.events.model import DaemonStarted, DaemonStopping, EventsLost, Happening, UnitHappening
from supervisor.events.reading import Batch, Gap
from supervisor.store.entry import Entry, Which

__all__ = [
    "Batch",
    "DaemonStarted",
    "DaemonStopping",
    "Entry",
    "EventLog",
    "EventsLost",
    "Gap",
    "Happening",
    "Journal",
    "Retention",
    "Snapshot",
    "UnitHappening",
    "Which",
]
