"""The daemon listens on loopback only, and says in words why it cannot."""

from __future__ import annotations

import socket

import pytest

from api.listening import inherited, listen
from supervisor.errors import Conflict, InvalidInput


def test_the_kernel_chooses_a_port_and_both_families_share_it() -> None:
    listening = listen()

    ports = {each.getsockname()[1] for each in listening.sockets}
    hosts = {each.getsockname()[0] for each in listening.sockets}
    listening.close()

    assert ports == {listening_port(listening.url)}
    assert hosts <= {"127.0.0.1", "::1"}
    assert "127.0.0.1" in hosts


def test_a_port_that_is_in_use_is_told_with_its_number() -> None:
    first = listen()

    with pytest.raises(Conflict, match=f"port {first.port} on 127.0.0.1 is in use") as caught:
        listen(first.port)
    first.close()

    assert caught.value.hint is not None


def test_a_port_that_only_the_other_family_uses_is_told_too() -> None:
    with socket.socket(socket.AF_INET6) as other:
        other.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        try:
            other.bind(("::1", 0))
        except OSError:
            pytest.skip("this machine has no ::1")
        other.listen()

        with pytest.raises(Conflict, match="on ::1 is in use"):
            listen(other.getsockname()[1])


@pytest.mark.parametrize("port", [-1, 65_536, 10**9])
def test_a_number_that_is_no_port_is_refused(port: int) -> None:
    with pytest.raises(InvalidInput, match="is not a port"):
        listen(port)


def test_the_same_port_can_be_taken_again_at_once() -> None:
    first = listen()
    port = first.port
    first.close()

    second = listen(port)
    second.close()

    assert listening_port(second.url) == port


def test_sockets_of_an_earlier_process_are_taken_over() -> None:
    first = listen()
    taken = inherited([each.detach() for each in first.sockets])

    assert taken.port > 0
    taken.close()


def listening_port(url: str) -> int:
    return int(url.rpartition(":")[2])
