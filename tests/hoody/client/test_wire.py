"""The HTTP reader reads what h11 writes, in whatever pieces it comes, and never guesses."""

from __future__ import annotations

from urllib.parse import unquote

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hoody.client.wire import BadAnswer, Request, ResponseReader, percent
from supervisor.errors import Unavailable

_NAMES = st.sampled_from(["X-One", "x-two", "Content-Type", "ETag", "Set-It"])
_VALUES = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=20)


def serve(status: int, headers: list[tuple[str, str]], chunks: list[bytes], *, chunked: bool, interim: int) -> bytes:
    """Let h11 write an answer, as the server side of a connection."""
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    while connection.next_event() is not h11.PAUSED and connection.their_state is not h11.MUST_CLOSE:
        pass
    out = b""
    for _ in range(interim):
        out += connection.send(h11.InformationalResponse(status_code=103, headers=[])) or b""
    if not chunked:
        headers = [*headers, ("Content-Length", str(sum(map(len, chunks))))]
    out += connection.send(h11.Response(status_code=status, headers=headers)) or b""
    for chunk in chunks:
        out += connection.send(h11.Data(data=chunk)) or b""
    return out + (connection.send(h11.EndOfMessage()) or b"")


def read(wire: bytes, cuts: list[int]) -> tuple[ResponseReader, bytes]:
    reader, body, start = ResponseReader(), b"", 0
    for end in [*sorted(cut % (len(wire) + 1) for cut in cuts), len(wire)]:
        body += reader.feed(wire[start:end])
        start = end
    return reader, body


@given(
    status=st.sampled_from([200, 201, 202, 404, 500, 599]),
    headers=st.lists(st.tuples(_NAMES, _VALUES), max_size=4),
    chunks=st.lists(st.binary(min_size=1, max_size=300), max_size=4),
    chunked=st.booleans(),
    interim=st.integers(0, 2),
    cuts=st.lists(st.integers(0, 5000), max_size=8),
)
def test_what_h11_writes_is_read_in_whatever_pieces_it_comes(
    status: int, headers: list[tuple[str, str]], chunks: list[bytes], chunked: bool, interim: int, cuts: list[int]
) -> None:
    wire = serve(status, headers, chunks, chunked=chunked, interim=interim)
    reader, body = read(wire, cuts)

    assert (status, b"".join(chunks), True) == (reader.status, body, reader.done)
    for name, value in headers:
        assert value in reader.headers[name.lower()]


@given(
    chunks=st.lists(st.binary(min_size=1, max_size=50), max_size=3),
    chunked=st.booleans(),
    spoil=st.tuples(st.integers(0, 400), st.binary(max_size=4)),
    cuts=st.lists(st.integers(0, 5000), max_size=4),
)
def test_a_spoiled_answer_is_read_or_refused_and_never_anything_else(
    chunks: list[bytes], chunked: bool, spoil: tuple[int, bytes], cuts: list[int]
) -> None:
    wire = bytearray(serve(200, [], chunks, chunked=chunked, interim=0))
    place, instead = spoil[0] % len(wire), spoil[1]
    wire[place : place + 2] = instead
    try:
        reader, _ = read(bytes(wire), cuts)
        reader.end()
    except Unavailable:
        return

    assert reader.done


@given(st.binary(max_size=200))
def test_noise_is_refused_or_incomplete(noise: bytes) -> None:
    with pytest.raises(Unavailable):
        read(noise, [])[0].end()


def test_a_body_without_length_ends_with_the_connection() -> None:
    reader = ResponseReader()
    body = reader.feed(b"HTTP/1.1 200 OK\r\n\r\nabc")
    assert not reader.done
    reader.end()

    assert (body, reader.done) == (b"abc", True)


def test_an_answer_that_is_cut_off_is_told() -> None:
    reader = ResponseReader()
    reader.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc")

    with pytest.raises(Unavailable, match="before its answer was complete"):
        reader.end()


@pytest.mark.parametrize("status", [204, 304])
def test_an_answer_that_has_no_body_is_complete_with_its_head(status: int) -> None:
    reader = ResponseReader()
    reader.feed(f"HTTP/1.1 {status} No\r\nContent-Length: 5\r\n\r\n".encode())

    assert reader.done


@pytest.mark.parametrize(
    "wire",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabcd",
        b"H" * 70_000,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"0" * 5000,
    ],
)
def test_what_is_not_an_answer_of_ours_is_refused(wire: bytes) -> None:
    with pytest.raises(BadAnswer):
        ResponseReader().feed(wire)


def test_a_request_is_written_as_h11_reads_it() -> None:
    wire = Request("POST", "/a?b=c", (("X-Y", "z"),), b"body").encode([("Host", "127.0.0.1:1")])
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(wire)
    head, data, end = connection.next_event(), connection.next_event(), connection.next_event()

    assert isinstance(head, h11.Request)
    assert (head.method, head.target) == (b"POST", b"/a?b=c")
    assert {b"host", b"x-y", b"connection", b"content-length"} == {name for name, _ in head.headers}
    assert isinstance(data, h11.Data)
    assert data.data == b"body"
    assert isinstance(end, h11.EndOfMessage)


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "a\nb", "a\0b", "é"])
def test_a_header_value_cannot_leave_its_line(value: str) -> None:
    with pytest.raises(ValueError, match="cannot carry"):
        Request("GET", "/", (("Authorization", value),)).encode([])


@given(st.text())
def test_a_name_in_an_address_is_one_segment_and_comes_back_as_it_was(text: str) -> None:
    encoded = percent(text)

    assert encoded.isascii()
    assert not set(encoded) & set("/?#. ") or set(encoded) - {"."}
    assert unquote(encoded) == text


@pytest.mark.parametrize("name", [".", "..", "..."])
def test_dots_alone_are_no_step_up_the_path(name: str) -> None:
    assert "." not in percent(name)
