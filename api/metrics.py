"""Figures in the text format that Prometheus reads. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import attrs
from attrs import frozen

from supervisor.health import HealthReport
from supervisor.units.status import Desired, State, UnitView

METRICS_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_ESCAPES: Final = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


@frozen
class Sample:
    """One figure with its labels."""

    value: float
    labels: tuple[tuple[str, str], ...] = ()


@frozen
class Family:
    """All figures of one name."""

    name: str
    kind: str
    help: str
    samples: tuple[Sample, ...]


def metrics_text(report: HealthReport, views: Iterable[UnitView], version: str) -> str:
    """Return everything as text."""
    families = (*_of_the_daemon(report, version), *_of_kinds(report), *_of_units(tuple(views)))
    return "".join(map(_family_text, families))


def _family_text(family: Family) -> str:
    lines = [f"# HELP {family.name} {family.help}", f"# TYPE {family.name} {family.kind}"]
    for sample in family.samples:
        labels = ",".join(f'{name}="{text.translate(_ESCAPES)}"' for name, text in sample.labels)
        lines.append(f"{family.name}{{{labels}}} {sample.value:g}" if labels else f"{family.name} {sample.value:g}")
    return "\n".join([*lines, ""]) if family.samples else ""


def _of_the_daemon(report: HealthReport, version: str) -> Iterator[Family]:
    def one(name: str, kind: str, words: str, value: float) -> Family:
        return Family(f"hoody_{name}", kind, words, (Sample(value),))

    yield Family("hoody_info", "gauge", "Which daemon this is.", (Sample(1, (("version", version),)),))
    yield one("ready", "gauge", "Whether every part of the daemon is up.", report.ready)
    parts = report.parts
    yield Family(
        "hoody_part_restarts_total",
        "counter",
        "How often a part of the daemon came back after a failure.",
        tuple(Sample(part.restarts, (("part", part.path),)) for part in parts),
    )
    yield one("store_failing", "gauge", "Whether the state cannot be written.", report.store.failing_since is not None)
    logs = report.logs
    yield one("log_streams", "gauge", "Streams that are captured.", logs.streams)
    yield one("log_streams_failing", "gauge", "Streams whose file cannot be written.", logs.failing_total)
    yield one("log_lost_bytes_total", "counter", "Bytes of output that were lost.", logs.lost_bytes)
    yield one("daemon_log_lost_lines_total", "counter", "Lines that the daemon's log lost.", report.lost_log_lines)
    vitals = report.daemon
    if vitals is None:
        return
    yield one("loop_lag_seconds", "gauge", "How late the scheduler was at worst in a minute.", vitals.loop_lag)
    yield one("messages_waiting", "gauge", "Messages that wait in all mailboxes.", vitals.messages_waiting)
    yield one("mailboxes_full", "gauge", "Mailboxes that take nothing more.", len(vitals.full_mailboxes))
    yield one("dead_letters_total", "counter", "Messages that nobody could handle.", vitals.dead_letters)
    yield one("process_open_fds", "gauge", "Open descriptors of the daemon.", vitals.descriptors)
    yield one("process_max_fds", "gauge", "How many it may have.", vitals.descriptor_limit)
    yield one("process_resident_memory_bytes", "gauge", "Memory of the daemon.", vitals.memory)
    yield one("tasks", "gauge", "Tasks of the daemon's scheduler.", vitals.tasks)
    yield one("process_threads", "gauge", "Threads of the daemon.", vitals.threads)


def _of_kinds(report: HealthReport) -> Iterator[Family]:
    states = (
        Sample(number, (("kind", found.kind.value), ("state", state)))
        for found in report.kinds.values()
        for state, number in found.by_state.items()
    )
    yield Family("hoody_units", "gauge", "Units by state.", tuple(states))
    for name, words in (
        ("unhealthy_total", "Units that should run and do not run well."),
        ("crash_loops", "Units in a crash loop."),
    ):
        samples = (Sample(getattr(found, name), (("kind", found.kind.value),)) for found in report.kinds.values())
        yield Family(f"hoody_units_{name.removesuffix('_total')}", "gauge", words, tuple(samples))


def _of_units(views: tuple[UnitView, ...]) -> Iterator[Family]:
    def each(name: str, words: str, value: Iterable[float]) -> Family:
        return Family(f"hoody_unit_{name}", "gauge", words, tuple(map(Sample, value, map(_labels, views))))

    status = [view.status for view in views]
    yield each("wanted", "Whether it should run.", (each.desired is Desired.RUNNING for each in status))
    yield each("running", "Whether it is RUNNING.", (each.state is State.RUNNING for each in status))
    yield each("ready", "Whether it can be used.", (each.ready for each in status))
    yield each("incarnation", "The number of its latest start.", (each.incarnation for each in status))
    failures = (
        Sample(number, (*_labels(view), ("cause", cause)))
        for view in views
        for cause, number in attrs.asdict(view.status.counters).items()
    )
    yield Family("hoody_unit_failures_total", "counter", "Failures since it was defined, by cause.", tuple(failures))


def _labels(view: UnitView) -> tuple[tuple[str, str], ...]:
    return (("kind", view.kind.value), ("name", view.name))
