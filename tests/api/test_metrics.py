"""Figures for Prometheus."""

from __future__ import annotations

import re

from api.metrics import Family, Sample, _family_text
from tests.api.conftest import Daemon

LINE = re.compile(r'[a-z_]+(\{([a-z]+="([^"\\\n]|\\[\\"n])*",?)+\})? [0-9.e+-]+')


async def test_every_agent_and_the_daemon_itself_are_told(daemon: Daemon) -> None:
    await daemon.client.post("/api/v1/agents", json={"name": "web", "command": "sleep", "start_seconds": 0})
    await daemon.client.post("/api/v1/agents/web/start?wait=true")

    got = await daemon.client.get("/metrics")

    assert got.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    lines = got.body.decode().splitlines()
    for wanted in (
        'hoody_info{version="1.2.3"} 1',
        "hoody_ready 1",
        'hoody_units{kind="agent",state="RUNNING"} 1',
        'hoody_unit_running{kind="agent",name="web"} 1',
        'hoody_unit_failures_total{kind="agent",name="web",cause="crashes"} 0',
        "hoody_log_lost_bytes_total 0",
    ):
        assert wanted in lines
    assert [line for line in lines if not line.startswith("# ") and not LINE.fullmatch(line)] == []


async def test_figures_take_the_token_like_everything_else(daemon: Daemon) -> None:
    daemon.client.token = None

    assert (await daemon.client.get("/metrics")).status == 401


def test_what_a_label_holds_cannot_break_out_of_it() -> None:
    text = _family_text(Family("x", "gauge", "Help.", (Sample(1.5, (("name", 'a"b\\c\nd'),)),)))

    assert text == '# HELP x Help.\n# TYPE x gauge\nx{name="a\\"b\\\\c\\nd"} 1.5\n'
    assert LINE.fullmatch(text.splitlines()[-1])


def test_a_family_without_figures_is_left_out() -> None:
    assert _family_text(Family("x", "gauge", "Help.", ())) == ""
