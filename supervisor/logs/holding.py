"""Hold FIFOs open while there is no daemon. A program of its own: ``python holding.py FOLDER``, standard library
only; the folder is there for whoever looks for the holder of it.

The kernel throws away what stands in a FIFO once nobody has it open, so what an agent wrote last would be lost if it
ended while no daemon runs. This process has a descriptor of every FIFO and does nothing with it. Descriptors arrive
through standard input, a socket of packets::

    b"+KEY" with a descriptor    hold it
    b"-KEY"                      let go of it
    b"."                         nothing is to be kept any more: end

When the socket ends without that, the daemon has died. From then on a FIFO is let go of when nobody else has it open
and nothing stands in it, or when it was deleted; this process ends with the last one. The next daemon reads the FIFOs
by their names, starts a holder of its own, and then ends this one.
"""

from __future__ import annotations

import array
import contextlib
import fcntl
import os
import resource
import select
import signal
import socket
import termios

F_SETPIPE_SZ = 1031
F_GETPIPE_SZ = 1032
LARGEST_BUFFER = 1 << 20
ALL_BUFFERS = 48 << 20
"""What the buffers may hold together: the kernel lets a user have 64 MiB before it gives out single pages."""
LOOK_AGAIN = 60_000
"""Milliseconds between looks for FIFOs that were deleted. Only while there is no daemon."""
_LONGEST_KEY = 512


def main() -> None:
    """Serve the daemon on standard input, then outlive it."""
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)
    _take_usual_limits()
    held: dict[bytes, int] = {}
    with socket.socket(fileno=0) as daemon:
        if _serve(daemon, held):
            return
    _outlive(held)


def _take_usual_limits() -> None:
    """Have as many descriptors as may be, and nothing that marks a process as an agent's."""
    for limit in (resource.RLIMIT_NOFILE, resource.RLIMIT_RTTIME):
        hard = resource.getrlimit(limit)[1]
        resource.setrlimit(limit, (hard, hard))


def _serve(daemon: socket.socket, held: dict[bytes, int]) -> bool:
    """Take orders; True where nothing is to be kept, False where the daemon has died."""
    room = socket.CMSG_SPACE(array.array("i").itemsize)
    while True:
        try:
            message, ancillary, _, _ = daemon.recvmsg(_LONGEST_KEY, room)
        except ConnectionError:
            return False
        order, key = message[:1], message[1:]
        if order == b"+":
            _let_go(held, key)
            for _level, _type, data in ancillary:
                held[key] = array.array("i", data)[0]
        elif order == b"-":
            _let_go(held, key)
        else:
            return order == b"."


def _let_go(held: dict[bytes, int], key: bytes) -> None:
    descriptor = held.pop(key, None)
    if descriptor is not None:
        os.close(descriptor)


def _outlive(held: dict[bytes, int]) -> None:
    poll = select.poll()
    room = _room_for_each(len(held))
    for descriptor in held.values():
        _enlarge(descriptor, room)
        poll.register(descriptor, 0)  # only the end of the last writer is reported
    keys = {descriptor: key for key, descriptor in held.items()}
    while held:
        for descriptor, _ in poll.poll(LOOK_AGAIN):
            if _is_empty(descriptor):
                _let_go(held, keys[descriptor])
            poll.unregister(descriptor)
        for key, descriptor in tuple(held.items()):
            if os.fstat(descriptor).st_nlink == 0:
                with contextlib.suppress(KeyError):
                    poll.unregister(descriptor)
                _let_go(held, key)


def _room_for_each(number: int) -> int:
    """Return how large each of so many buffers may become."""
    share = ALL_BUFFERS // max(1, number)
    return min(LARGEST_BUFFER, 1 << max(0, share.bit_length() - 1))


def _enlarge(descriptor: int, room: int) -> None:
    """Let agents write on for longer before they have to wait for the next daemon, as far as the kernel allows."""
    if fcntl.fcntl(descriptor, F_GETPIPE_SZ) < room:
        with contextlib.suppress(OSError):
            fcntl.fcntl(descriptor, F_SETPIPE_SZ, room)


def _is_empty(descriptor: int) -> bool:
    return not any(fcntl.ioctl(descriptor, termios.FIONREAD, b"\0\0\0\0"))


if __name__ == "__main__":
    main()
