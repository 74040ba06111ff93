"""Carries conversations out with plain sockets: one or many at once, with one selector and no threads.

A command that stops fifty agents asks for all of them together and shows who is still missing, without the 100 ms that
importing an event loop would cost each command.
"""

from __future__ import annotations

import os
import selectors
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any, Final

from hoody.client.call import Conversation

_BLOCK: Final = 256 * 1024
_MOST_AT_ONCE: Final = 64
"""Connections open at the same time; the rest wait for their turn, their time not yet running."""

Conversations = Sequence[Conversation[Any]]


def converse(
    conversations: Conversations, *, tick: float | None = None, on_tick: Callable[[], object] | None = None
) -> None:
    """Drive ``conversations`` until each is finished; calls ``on_tick`` every ``tick`` seconds meanwhile.

    Each has its own deadline, counted from when it is first connected. An exception (Ctrl-C, a failing sink) closes
    every connection and passes.
    """
    waiting = [conversation for conversation in conversations if not conversation.finished]
    waiting.reverse()
    next_tick = time.monotonic() + tick if tick else None
    with selectors.DefaultSelector() as selector, ExitStack() as stack:
        links: set[_Link] = set()
        stack.callback(_close_all, links)
        while waiting or links:
            while waiting and len(links) < _MOST_AT_ONCE:
                links.add(_Link(waiting.pop(), selector))
            now = time.monotonic()
            if next_tick is not None and tick and on_tick and now >= next_tick:
                next_tick = now + tick
                on_tick()
            deadlines = [link.deadline for link in links] + ([next_tick] if next_tick is not None else [])
            for key, _ in selector.select(max(0.0, min(deadlines) - now)):
                key.data.ready()
            now = time.monotonic()
            for link in [link for link in links if link.over(now)]:
                link.close()
                links.discard(link)


def _close_all(links: set[_Link]) -> None:
    for link in links:
        link.close()


class _Link:
    """One conversation and the socket of its present attempt."""

    def __init__(self, conversation: Conversation[Any], selector: selectors.BaseSelector) -> None:
        self.deadline = time.monotonic() + conversation.call.timeout
        self._conversation = conversation
        self._selector = selector
        self._socket: socket.socket | None = None
        self._connect()

    def over(self, now: float) -> bool:
        """Tell whether the conversation is finished; ends it where its time is over."""
        if not self._conversation.finished and now >= self.deadline:
            self._conversation.timed_out()
        return self._conversation.finished

    def close(self) -> None:
        if self._socket is not None:
            self._selector.unregister(self._socket)
            self._socket.close()
            self._socket = None

    def ready(self) -> None:
        """The socket can be written to or read from: take the next step."""
        attempt = self._conversation.attempt
        try:
            self._step()
        except BlockingIOError:
            return
        except OSError as error:
            if self._connecting:
                self._conversation.refused(error)
            else:
                self._conversation.dropped(error)
        if self._conversation.attempt != attempt and not self._conversation.finished:
            self._connect()

    def _connect(self) -> None:
        """Open connections until one is under way or the conversation has given up."""
        while not self._conversation.finished:
            self.close()
            host, port, _ = self._conversation.endpoint
            self._connecting, self._unsent = True, memoryview(self._conversation.to_send)
            try:
                self._socket = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
                self._socket.settimeout(0)
                self._selector.register(self._socket, selectors.EVENT_WRITE, self)
                self._socket.connect((host, port))
            except BlockingIOError:
                return
            except OSError as error:
                self._conversation.refused(error)
            else:
                return

    def _step(self) -> None:
        assert self._socket is not None  # noqa: S101 - registered with the selector, so it is open
        if self._connecting:
            number = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if number:
                raise OSError(number, os.strerror(number))
            self._connecting = False
        if self._unsent:
            self._unsent = self._unsent[self._socket.send(self._unsent) :]
            if not self._unsent:
                self._selector.modify(self._socket, selectors.EVENT_READ, self)
            return
        self._conversation.received(self._socket.recv(_BLOCK))
