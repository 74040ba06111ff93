"""Trees, descriptions and the one error that stands for several."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hoody.cli.details import details, exit_words
from hoody.cli.health import counts, is_healthy, unwell
from hoody.cli.heavy import run_with_trio
from hoody.cli.tree_drawing import ASCII, UNICODE, draw, plain
from supervisor.errors import NotFound


def node(name: str, *children: Any, **given: Any) -> Any:
    found = {"id": name, "kind": "actor", "state": "up", "strategy": None, "incarnation": 1, "restarts": 0}
    found |= {"intensity_used": 0, "intensity_allowed": 3, "crash_loop": False, "children": list(children)}
    return found | given


TREES = st.recursive(
    st.builds(node, st.text(max_size=5)),
    lambda children: st.builds(lambda name, below: node(name, *below), st.text(max_size=5), st.lists(children)),
    max_leaves=12,
)


def size(tree: Any) -> int:
    return 1 + sum(map(size, tree["children"]))


@given(TREES)
def test_every_node_has_a_line(tree: Any) -> None:
    lines = list(draw(tree, plain, UNICODE))

    assert len(lines) == size(tree)
    assert all("\n" not in line for line in lines)


def test_the_branches_lead_from_each_node_to_its_children() -> None:
    tree = node("a", node("b", node("c"), node("d")), node("e", node("f")))

    assert list(draw(tree, lambda found: found["id"], ASCII)) == [
        "a",
        "|- b",
        "|  |- c",
        "|  `- d",
        "`- e",
        "   `- f",
    ]


def test_a_tree_may_be_deeper_than_the_stack() -> None:
    tree = node("leaf")
    for _ in range(3000):
        tree = node("x", tree)

    assert sum(1 for _ in draw(tree, lambda found: found["id"], UNICODE)) == 3001


def test_a_node_tells_its_strategy_and_its_restarts() -> None:
    found = node("a", kind="supervisor", strategy="rest_for_one", restarts=2, intensity_used=1, crash_loop=True)

    assert plain(found) == "a  [supervisor (rest_for_one)]  up  restarts: 2  (of its brake 1/3)  crash loop"


def kept(**given: Any) -> Any:
    nothing = {"kind": "agent", "state": "RUNNING", "desired": "running", "ready": True, "health": "none", "pid": 7}
    return nothing | {"restarts": 0, "crash_loop": False, "reason": ""} | given


def test_a_keeper_is_drawn_as_the_unit_that_it_keeps() -> None:
    assert plain(node("web", unit=kept())) == "web  [agent]  RUNNING"


def test_a_unit_that_is_not_well_says_how_and_why() -> None:
    found = kept(state="BACKOFF", ready=False, restarts=3, crash_loop=True, health="unhealthy", reason="bad\n\x1b[2J")

    drawn = plain(node("web", unit=found))

    assert drawn.startswith("web  [agent]  BACKOFF  unhealthy  restarts: 3  crash loop  bad")
    assert drawn.isprintable()


def test_a_unit_that_is_up_and_not_ready_says_so() -> None:
    assert plain(node("web", unit=kept(ready=False))) == "web  [agent]  RUNNING  not ready"


def test_a_keeper_that_is_not_well_is_told_of_beside_its_unit() -> None:
    found = node("web", unit=kept(), state="waiting", restarts=2)

    assert plain(found) == "web  [agent]  RUNNING  (its keeper: waiting, restarts: 2)"


def unit(**status: Any) -> Any:
    nothing = {"state": "STOPPED", "desired": "stopped", "reason": "", "ready": False, "health": "none", "pid": None}
    nothing |= {"incarnation": 0, "restarts": 0, "started_at": None, "exit": None, "next_retry_at": None}
    nothing |= {"crash_loop": False, "waiting_for": []}
    spec = {"command": ["a", "b c"], "environment": {"X": "\x1b[2J"}, "backoff": {"max": "1m"}, "directory": None}
    return {
        "name": "web",
        "workspace": "site",
        "labels": {"team": "docs"},
        "revision": 2,
        "created_at": "2026-01-01T00:00:00Z",
        "spec": spec,
        "status": nothing | status,
    }


def test_a_description_says_what_is_and_leaves_out_what_is_not() -> None:
    text = details(unit(), datetime.now(UTC))

    assert "command           a 'b c'" in text
    assert "environment       X=\\x1b[2J" in text
    assert "workspace         site" in text
    assert not {"directory", "pid", "next", "last"} & {line.split(" ")[0] for line in text.splitlines()}


def test_a_description_of_a_crash_loop_says_when_the_next_try_is_due() -> None:
    last = {"reason": "out_of_memory", "code": None, "signal": "KILL", "core_dumped": True, "at": "T", "detail": "why"}
    found = unit(state="BACKOFF", crash_loop=True, next_retry_at="2026-01-01T00:01:30Z", exit=last, waiting_for=["db"])
    text = details(found, datetime(2026, 1, 1, tzinfo=UTC))

    assert "state             BACKOFF (crash loop)" in text
    assert "next try          2026-01-01T00:01:30Z (in 1m30s)" in text
    assert "waiting for       db" in text
    assert "last exit         out of memory, signal KILL (core dumped) at T: why" in text


def test_an_end_by_a_code_says_the_code() -> None:
    last: Any = {"reason": "exited", "code": 3, "signal": None, "core_dumped": False, "at": "T", "detail": ""}

    assert exit_words(last) == "exited, code 3 at T"


def test_a_health_report_is_told_in_words() -> None:
    kind = {"total": 3, "by_state": {"RUNNING": 2, "BACKOFF": 1, "FATAL": 0}, "by_health": {}, "crash_loops": 1}
    kind |= {"unhealthy": ["web"], "unhealthy_total": 4}
    store = {
        "failing_since": "T",
        "error": "disk full",
        "moved_aside": ["x.corrupt"],
        "rescued": 2,
        "unreadable": ["u"],
    }
    part = {"path": "hoody/store", "up": False, "restarts": 1, "detail": "crashed"}
    report: Any = {"status": "degraded", "ready": True, "kinds": {"agents": kind}, "parts": [part], "store": store}

    assert not is_healthy(report)
    assert dict(counts(report)) == {"agents": "3 (2 RUNNING, 1 BACKOFF)"}
    assert list(unwell(report)) == [
        ("not well", "web and 3 more"),
        ("crash loops", "1"),
        ("daemon", "hoody/store is down: crashed"),
        ("state", "cannot be written since T: disk full"),
        ("state", "a broken database was moved to x.corrupt; 2 units were rescued from it"),
        ("state", "cannot be read: u"),
    ]


def test_trouble_with_logs_is_told_in_words() -> None:
    failing = {"unit": "web", "stream": "stdout", "since": 1.0, "error": "disk full"}
    logs: dict[str, Any] = {
        "failing": [failing],
        "failing_total": 3,
        "lost_bytes": 7,
        "lost_fifos": 1,
        "housekeeping_error": "EIO",
    }
    logs["holder_error"] = "output is not held"
    store = {"failing_since": None, "moved_aside": [], "unreadable": []}
    report: Any = {"kinds": {}, "parts": [], "store": store, "logs": logs, "lost_log_lines": 2}

    assert list(unwell(report)) == [
        ("logs", "web/stdout cannot be written: disk full"),
        ("logs", "2 more streams cannot be written"),
        ("logs", "7 bytes of output were lost"),
        ("logs", "1 FIFOs were removed by somebody; what stood in them is lost"),
        ("logs", "old log files cannot be looked after: EIO"),
        ("logs", "output is not held"),
        ("daemon", "2 lines of its own log could not be kept"),
    ]


@pytest.mark.parametrize(
    ("errors", "expected"),
    [
        ([ValueError("a"), KeyboardInterrupt()], KeyboardInterrupt),
        ([NotFound("x"), BrokenPipeError()], BrokenPipeError),
        ([ValueError("a"), NotFound("x")], NotFound),
        ([ValueError("a")], ValueError),
    ],
)
def test_of_several_errors_the_one_that_tells_most_is_raised(
    errors: list[BaseException], expected: type[BaseException]
) -> None:
    async def fails() -> None:
        raise BaseExceptionGroup("outer", [BaseExceptionGroup("inner", errors)])

    with pytest.raises(expected):
        run_with_trio(fails)
