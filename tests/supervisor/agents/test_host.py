"""What the daemon does to its own process. Each test runs it in a process of its own, where it may."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys

import pytest

from supervisor.agents.host import Host, check_system
from supervisor.errors import DriverError

PROGRAM = """
import json, os, signal, resource, subprocess
from supervisor.agents.host import prepare_host
from supervisor.agents.orphans import is_subreaper
before = resource.getrlimit(resource.RLIMIT_NOFILE)
host = prepare_host()
print(json.dumps({
    "before": before,
    "after": resource.getrlimit(resource.RLIMIT_NOFILE),
    "told": [host.descriptors.inherited, host.descriptors.raised, host.descriptors.hard],
    "subreaper": [host.subreaper, is_subreaper()],
    "inheritable": [fd for fd in range(3, 64) if os.path.lexists(f"/proc/self/fd/{fd}") and os.get_inheritable(fd)],
    "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ())),
    "hup": signal.getsignal(signal.SIGHUP) in (signal.SIG_IGN, signal.SIG_DFL),
    "child": subprocess.check_output(["grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status"], text=True).split(),
}))
"""


def prepared() -> dict[str, object]:
    """Return what a process finds that was started badly: with a low limit, open descriptors and deaf to signals."""
    reading, writing = os.pipe()
    try:
        run = subprocess.run(
            ["sh", "-c", f"trap '' HUP USR1; ulimit -S -n 256; exec '{sys.executable}' -c \"$PROGRAM\""],
            env={**os.environ, "PROGRAM": PROGRAM},
            pass_fds=[writing],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    finally:
        os.close(reading)
        os.close(writing)
    found: dict[str, object] = json.loads(run.stdout)
    return found


def test_a_badly_started_process_is_made_fit_to_run_agents() -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    raised = min(hard, 1 << 20)

    found = prepared()

    assert [256, hard] == found["before"]
    assert [raised, hard] == found["after"]
    assert [256, raised, hard] == found["told"]
    assert found["subreaper"] == [True, True]
    assert found["inheritable"] == []
    assert found["blocked"] == []
    assert found["hup"] is False
    assert found["child"] == ["SigBlk:", "0" * 16, "SigIgn:", "0" * 16]


def test_the_standing_of_a_process_is_told_without_changing_it() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)

    host = Host.as_it_is()

    assert (soft, soft, hard) == (host.descriptors.inherited, host.descriptors.raised, host.descriptors.hard)
    assert not host.subreaper


def test_a_system_without_descriptors_of_processes_is_refused_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_: int) -> int:
        raise OSError(38, "Function not implemented")

    check_system()
    monkeypatch.setattr(os, "pidfd_open", refused)
    with pytest.raises(DriverError, match="cannot run agents") as caught:
        check_system()
    assert "Linux 5.4" in (caught.value.hint or "")
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(DriverError):
        check_system()
