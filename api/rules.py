"""Who may talk to the daemon: the rules of the guard, apart from ASGI. Pure but for the clock handed in.

Loopback is no protection by itself: every page in the user's browser and every other account of the machine can reach
it. The rules are allow-lists, and each is checked on every request of every protocol.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Final

from attrs import frozen

from supervisor.errors import (
    HeadersTooLarge,
    MalformedRequest,
    Misdirected,
    NotAllowed,
    RequestTooLarge,
    TooManyRequests,
    Unauthorized,
    UnsupportedMediaType,
)

MOST_BODY: Final = 1024 * 1024
MOST_HEADERS: Final = 16 * 1024
FAILURES_PER_SECOND: Final = 10

_HOST_NAMES: Final = (b"127.0.0.1", b"localhost", b"[::1]")
_LOOKED_AT: Final = frozenset(
    {b"host", b"origin", b"sec-fetch-site", b"authorization", b"content-type", b"content-length", b"content-encoding"}
)
_OUR_PAGES: Final = frozenset({b"same-origin", b"none"})
_BODIES: Final = frozenset({b"application/json", b"application/merge-patch+json"})
_WITHOUT_BODY: Final = frozenset({"GET", "HEAD", "OPTIONS", "DELETE"})


@frozen
class Head:
    """The part of a request that the rules look at."""

    method: str
    path: str
    raw_path: bytes
    headers: Mapping[bytes, bytes]
    """One value per name that the rules look at; a name sent twice is in ``repeated``."""
    repeated: frozenset[bytes]
    size: int


def read_head(method: str, path: str, raw_path: bytes, headers: Iterable[tuple[bytes, bytes]]) -> Head:
    """Gather what the rules look at; header names are lower case already."""
    found: dict[bytes, bytes] = {}
    repeated: set[bytes] = set()
    size = 0
    for name, value in headers:
        size += len(name) + len(value) + 4
        if name in _LOOKED_AT:
            if name in found:
                repeated.add(name)
            found[name] = value
    return Head(method, path, raw_path, found, frozenset(repeated), size)


class FailureLimit:
    """Counts refused tokens and slows down whoever guesses; a right token is never slowed down."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._second = 0
        self._failures = 0

    def failed(self) -> None:
        """Note one failure. Raises ``TooManyRequests`` where there were too many within this second."""
        second = int(self._clock())
        if second != self._second:
            self._second, self._failures = second, 0
        self._failures += 1
        if self._failures > FAILURES_PER_SECOND:
            raise TooManyRequests("too many requests without a valid token")


class Rules:
    """The rules for one address."""

    def __init__(
        self,
        *,
        port: int,
        open_paths: Collection[str],
        verify_token: Callable[[bytes], bool],
        clock: Callable[[], float],
    ) -> None:
        # A browser and curl leave the port out of Host where it is the one of the scheme.
        suffixes = (b":%d" % port, b"") if port == 80 else (b":%d" % port,)
        self._hosts = frozenset(name + suffix for name in _HOST_NAMES for suffix in suffixes)
        self._open_paths = frozenset(open_paths)
        self._verify_token = verify_token
        self._failures = FailureLimit(clock)

    def check(self, head: Head) -> None:
        """Let a request through, or raise the error that refuses it.

        The order matters: whoever is not meant to talk to us at all learns nothing from the later rules.
        """
        host = self._check_host(head)
        self._check_page(head, host)
        if head.size > MOST_HEADERS:
            raise HeadersTooLarge(f"the headers are over the limit of {MOST_HEADERS} bytes")
        if head.path not in self._open_paths:
            self._check_token(head)
        self._check_target(head)
        self._check_body(head)

    def _check_host(self, head: Head) -> bytes:
        host = head.headers.get(b"host", b"").lower()
        if b"host" in head.repeated or host not in self._hosts:
            raise Misdirected(
                "the Host header does not name this daemon",
                hint="use the address that hoody status shows: http://127.0.0.1:PORT",
            )
        return host

    @staticmethod
    def _check_page(head: Head, host: bytes) -> None:
        """Refuse what a page of somebody else sends through the user's browser."""
        origin = head.headers.get(b"origin")
        if origin is not None and (b"origin" in head.repeated or origin.lower() != b"http://" + host):
            raise NotAllowed("requests from other web pages are refused")
        site = head.headers.get(b"sec-fetch-site")
        if site is not None and (b"sec-fetch-site" in head.repeated or site not in _OUR_PAGES):
            raise NotAllowed("requests from other web pages are refused")

    def _check_token(self, head: Head) -> None:
        scheme, _, token = head.headers.get(b"authorization", b"").partition(b" ")
        repeated = b"authorization" in head.repeated
        if not repeated and scheme.lower() == b"bearer" and self._verify_token(token.strip()):
            return
        self._failures.failed()
        # One sentence for a missing and for a wrong token: the difference is nobody's business.
        raise Unauthorized("a valid bearer token is needed", hint="hoody token show prints it")

    @staticmethod
    def _check_target(head: Head) -> None:
        # werkzeug would take any number of slashes at the start for one.
        if not head.raw_path.startswith(b"/") or head.raw_path.startswith(b"//"):
            raise MalformedRequest("the target of the request must be a path that starts with one slash")
        if b"%2f" in head.raw_path.lower() or b"%00" in head.raw_path:
            raise MalformedRequest("a name in the address must not contain '/' or a NUL character")

    @staticmethod
    def _check_body(head: Head) -> None:
        length = head.headers.get(b"content-length", b"0")
        if not length.isdigit() or b"content-length" in head.repeated:
            raise MalformedRequest("the header Content-Length is not one number")
        if len(length) > 18 or int(length) > MOST_BODY:
            raise RequestTooLarge("the body of the request is over the limit of 1 MiB")
        if head.headers.get(b"content-encoding", b"identity") != b"identity":
            raise UnsupportedMediaType("the body must not be compressed")
        kind = head.headers.get(b"content-type")
        if kind is not None and head.method not in _WITHOUT_BODY:
            check_media_type(kind)


def check_media_type(kind: bytes, *, patch: bool = True) -> None:
    """Refuse a body that is not JSON in UTF-8. Raises ``UnsupportedMediaType``."""
    media_type, _, parameters = kind.lower().partition(b";")
    allowed = _BODIES if patch else _BODIES - {b"application/merge-patch+json"}
    charset = parameters.strip().removeprefix(b"charset=").strip(b'"')
    if media_type.strip() not in allowed or charset not in {b"", b"utf-8"}:
        raise UnsupportedMediaType("the body must be JSON", hint="send it with Content-Type: application/json")
