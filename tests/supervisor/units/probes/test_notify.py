"""The socket by which programs tell how they are, with real messages of real processes."""

from __future__ import annotations

import os
import socket
import struct
import sys
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from supervisor.units.probes.notify import Notice, NotifySocket, clean, parse_notice

SEND = """
import socket, sys
socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(sys.argv[2].encode(), "\\0" + sys.argv[1])
"""


@pytest.fixture
def name() -> str:
    return f"hoody/test/{uuid.uuid4()}"


@pytest.fixture
async def ear(name: str) -> AsyncIterator[NotifySocket]:
    found = NotifySocket(name)
    yield found
    found.close()


def open_descriptors() -> set[str]:
    return {entry.name for entry in Path("/proc/self/fd").iterdir()}


def tell(name: str, message: bytes, *descriptors: int) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as mouth:
        mouth.connect(b"\0" + name.encode())
        rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack(f"{len(descriptors)}i", *descriptors))
        mouth.sendmsg([message], [rights] if descriptors else [])


async def hear(ear: NotifySocket, *, belongs: bool = True) -> Notice:
    with trio.fail_after(30):
        return await ear.receive(lambda _: belongs)


async def test_what_a_program_says_is_heard(name: str, ear: NotifySocket) -> None:
    tell(name, b"READY=1\nSTATUS=serving 3 clients\nWATCHDOG=1\nMAINPID=12\nnonsense\n")

    assert await hear(ear) == Notice(ready=True, alive=True, text="serving 3 clients")


async def test_what_it_said_before_anybody_listened_is_not_lost(name: str, ear: NotifySocket) -> None:
    for message in (b"STATUS=one", b"STATUS=two", b"READY=1"):
        tell(name, message)

    assert [await hear(ear) for _ in range(3)] == [Notice(text="one"), Notice(text="two"), Notice(ready=True)]


async def test_only_processes_of_the_unit_are_listened_to(name: str, ear: NotifySocket) -> None:
    """The kernel says who sends, whatever the message says."""
    child = await trio.run_process([sys.executable, "-S", "-c", SEND, name, "READY=1"])
    assert child.returncode == 0
    tell(name, b"STOPPING=1")

    with trio.fail_after(30):
        notice = await ear.receive(lambda pid: pid == os.getpid())

    assert notice == Notice(stopping=True)


async def test_a_barrier_is_answered_by_closing_what_came_with_it(name: str, ear: NotifySocket) -> None:
    reading, writing = os.pipe()
    tell(name, b"BARRIER=1", writing)
    os.close(writing)
    assert await hear(ear) == Notice()

    with trio.fail_after(30):
        async with trio.lowlevel.FdStream(reading) as stream:
            assert await stream.receive_some() == b""


async def test_descriptors_of_strangers_are_not_kept_either(name: str, ear: NotifySocket) -> None:
    before = open_descriptors()
    reading, writing = os.pipe()
    for _ in range(5):
        tell(name, b"FDSTORE=1", reading, writing)
    os.close(reading)
    os.close(writing)
    with trio.move_on_after(0.05):
        await hear(ear, belongs=False)

    assert open_descriptors() == before


async def test_a_name_is_free_again_once_it_is_let_go_and_not_before(name: str) -> None:
    first = NotifySocket(name)
    with pytest.raises(OSError, match="in use"):
        NotifySocket(name)
    first.close()

    NotifySocket(name).close()


@given(message=st.binary(max_size=300))
def test_no_message_breaks_the_reader(message: bytes) -> None:
    notice = parse_notice(message)

    assert notice.text is None or notice.text.isprintable()


@pytest.mark.parametrize(
    ("message", "notice"),
    [
        (b"EXTEND_TIMEOUT_USEC=2500000", Notice(extension=2.5)),
        (b"EXTEND_TIMEOUT_USEC=-1", Notice()),
        (b"EXTEND_TIMEOUT_USEC=99999999999999999999", Notice()),
        (b"EXTEND_TIMEOUT_USEC=soon", Notice()),
        (b"WATCHDOG=trigger", Notice(failed=True)),
        (b"READY=0", Notice()),
        (b"STATUS=", Notice(text="")),
        (b"", Notice()),
    ],
)
def test_what_is_not_understood_is_passed_over(message: bytes, notice: Notice) -> None:
    assert parse_notice(message) == notice


def test_a_status_is_shown_on_one_line_of_bounded_length() -> None:
    assert clean("a\x1b[31mb\r\nc ") == "a [31mb  c"
    assert len(clean("x" * 1000)) == 200
