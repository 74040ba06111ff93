"""Draw the machine of a unit from its table: ``python -m supervisor.units.diagram`` prints ``docs/unit-machine.md``."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator

from supervisor.units.condition import STATE, TIMERS, Phase
from supervisor.units.events import Timer
from supervisor.units.machine import TABLE, Handled, Ignored, Rejected, Rule, Trigger

_HEAD = """\
# The machine of a unit

This page is generated from the table in `supervisor/units/machine.py` (`just docs` writes it again; a test compares).
What the words mean is said in [semantics](semantics-units.md).

A unit is always in one phase; what people see is the state that the phase belongs to.
A trigger is an event, or a timer that has fired.

## Phases, states and timers

| phase | state | timers that may be armed |
| --- | --- | --- |
"""
_DIAGRAM = """
## What leads where

```mermaid
stateDiagram-v2
    [*] --> stopped
"""
_TABLE = """\
```

## Every trigger in every phase

A cell names the phases that may follow. `stays`: handled where it is. `-`: ignored, since there it changes nothing.
`x`: rejected; a command is answered with `invalid_transition`, a fact that cannot be is a defect and raises.

"""


def trigger_name(trigger: Trigger) -> str:
    """Name a trigger for people: ``stop asked``, ``timer retry``."""
    if isinstance(trigger, Timer):
        return f"timer {trigger.value}"
    return " ".join(re.findall("[A-Z][a-z]*", trigger.__name__)).lower()


def markdown() -> str:
    """Return the whole page."""
    return "".join((_HEAD, *_phases(), _DIAGRAM, *_edges(), _TABLE, *_table(), *_reasons()))


def _phases() -> Iterator[str]:
    for phase in Phase:
        timers = ", ".join(timer.value for timer in Timer if timer in TIMERS[phase])
        yield f"| {phase.value} | {STATE[phase].value} | {timers} |\n"


def _edges() -> Iterator[str]:
    labels: dict[tuple[Phase, Phase], list[str]] = {}
    for trigger, row in TABLE.items():
        for phase, rule in row.items():
            if isinstance(rule, Handled):
                for to in rule.to - {phase}:
                    labels.setdefault((phase, to), []).append(trigger_name(trigger))
    for phase in Phase:
        for to in Phase:
            if (phase, to) in labels:
                yield f"    {phase.value} --> {to.value}: {', '.join(labels[phase, to])}\n"


def _table() -> Iterator[str]:
    yield "| | " + " | ".join(phase.value for phase in Phase) + " |\n"
    yield "| --- |" + " --- |" * len(Phase) + "\n"
    for trigger, row in TABLE.items():
        cells = " | ".join(_cell(phase, row[phase]) for phase in Phase)
        yield f"| **{trigger_name(trigger)}** | {cells} |\n"


def _cell(phase: Phase, rule: Rule) -> str:
    match rule:
        case Handled(to=to):
            return ", ".join(each.value for each in Phase if each in to and each is not phase) or "stays"
        case Ignored():
            return "-"
        case Rejected():
            return "x"


def _reasons() -> Iterator[str]:
    yield "\n## Why a trigger is ignored or rejected\n\n"
    for trigger, row in TABLE.items():
        whys: dict[str, None] = {}
        for rule in row.values():
            if isinstance(rule, Ignored | Rejected):
                whys[("ignored: " if isinstance(rule, Ignored) else "rejected: ") + rule.why] = None
        if whys:
            yield f"- {trigger_name(trigger)}: {'; '.join(whys)}\n"


if __name__ == "__main__":
    sys.stdout.write(markdown())
