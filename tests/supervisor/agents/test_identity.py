"""Who a process is."""

from __future__ import annotations

import os
import subprocess
import threading

from hypothesis import given
from hypothesis import strategies as st

from supervisor.agents.identity import boot_id, identity_of, parse_stat, read_proc, read_stat

TAIL = "S 7 8 9 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 3 0 123456 1000 200 18446744073709551615"


@given(st.binary(min_size=0, max_size=15))
def test_a_stat_line_is_read_whatever_the_program_calls_itself(name: bytes) -> None:
    stat = parse_stat(b"42 (" + name + b") " + TAIL.encode())

    assert stat == (42, "S", 7, 8, 9, 123456, False)


def test_a_zombie_is_dead_and_one_that_has_threads_left_is_not() -> None:
    assert parse_stat(b"1 (x) " + TAIL.replace("S 7", "Z 7").replace("0 3 0 1234", "0 1 0 1234").encode()).dead
    assert not parse_stat(b"1 (x) " + TAIL.replace("S 7", "Z 7").encode()).dead


def test_this_process_is_told_as_the_system_tells_it() -> None:
    stat = read_stat(os.getpid())

    assert stat is not None
    assert (os.getppid(), os.getpgid(0), os.getsid(0)) == (stat.parent, stat.group, stat.session)
    assert not stat.dead


def test_an_ended_process_is_dead_until_it_is_reaped_and_then_nobody() -> None:
    process = subprocess.Popen(["true"])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    zombie = read_stat(process.pid)
    process.wait()

    assert zombie is not None
    assert zombie.dead
    assert read_stat(process.pid) is None
    assert read_proc(process.pid, "environ") is None


def test_the_identity_of_a_process_does_not_change() -> None:
    one, other = read_stat(os.getpid()), read_stat(os.getpid())

    assert one is not None
    assert other is not None
    assert identity_of(one) == identity_of(other)
    assert boot_id() == identity_of(one).boot_id


def test_a_process_with_many_threads_is_one_process() -> None:
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    try:
        stat = read_stat(os.getpid())
    finally:
        stop.set()
        thread.join()

    assert stat is not None
    assert stat.pid == os.getpid()
