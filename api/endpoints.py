"""The table of endpoints: what can be asked for, with what, and what comes back.

The table is the one source of the routes, of the reference documentation and of the tests that walk every route.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from enum import StrEnum
from typing import (
    TYPE_CHECKING,
    Any,
    Final,
    Generic,
    TypeAlias,
    TypedDict,
    TypeVar,
    Unpack,
    get_args,
    get_type_hints,
)

from attrs import field, frozen

from supervisor.convert import structure
from supervisor.errors import HoodyError

if TYPE_CHECKING:
    from api.answers import Answer
    from api.services import Services

Q = TypeVar("Q")
T = TypeVar("T")


class Effect(StrEnum):
    """What a request does to the world; the command line warns by it, and tests rely on it."""

    READ = "read-only"
    CHANGE = "changes state"
    DESTROY = "destructive"


@frozen(kw_only=True)
class NoQuery:
    """For endpoints that take no query parameters."""


@frozen(kw_only=True)
class NoBody:
    """For endpoints that take no body: none, or an empty object."""


@frozen(kw_only=True)
class Call(Generic[Q]):
    """One request, read and checked."""

    services: Services
    query: Q
    path: Mapping[str, str] = field(factory=dict)
    document: object = None
    """The JSON of the body; None where there was none."""
    headers: Mapping[str, str] = field(factory=dict)
    expected_revision: int | None = None
    """From ``If-Match``."""

    def body(self, cls: type[T]) -> T:
        """Read the body as a ``cls``; no body is an empty one. Raises ``InvalidInput``."""
        return structure(cls, {} if self.document is None else self.document, what="the body")


Handler: TypeAlias = Callable[[Call[Q]], "Awaitable[Answer]"]


@frozen(kw_only=True)
class Endpoint:
    """One row of the table."""

    method: str
    path: str
    """With ``<name>`` for what varies."""
    summary: str
    handler: Handler[Any]
    effect: Effect
    query: type
    body: type = NoBody
    answer: type | None = None
    status: int = 200
    media_type: str = "application/json"
    problems: tuple[type[HoodyError], ...] = ()
    """Errors beyond those that any request may meet."""
    open: bool = False
    """Answered without a token."""
    keyed: bool = False
    """Takes ``Idempotency-Key``; every POST does, unless it says otherwise."""
    conditional: bool = False
    """Takes ``If-Match``."""
    merge_patch: bool = False
    """Takes ``application/merge-patch+json`` too."""


class Columns(TypedDict, total=False):
    """What a route may say of its endpoint beside method and address; see :class:`Endpoint`."""

    effect: Effect
    body: type
    answer: type
    status: int
    media_type: str
    problems: tuple[type[HoodyError], ...]
    open: bool
    keyed: bool
    conditional: bool
    merge_patch: bool


class Endpoints:
    """Collects the endpoints of one module of routes."""

    def __init__(self) -> None:
        self._rows: list[Endpoint] = []

    def __iter__(self) -> Iterator[Endpoint]:
        return iter(self._rows)

    def add(self, method: str, path: str, **columns: Unpack[Columns]) -> Callable[[Handler[Q]], Handler[Q]]:
        """Enter the decorated handler under a method and an address.

        Its query parameters are those of the class in its annotation (``call: Call[WaitQuery]``), and the first line of
        its docstring is the summary.
        """

        def enter(handler: Handler[Q]) -> Handler[Q]:
            (query,) = get_args(next(iter(get_type_hints(handler).values())))
            columns.setdefault("effect", Effect.READ if method == "GET" else Effect.CHANGE)
            columns.setdefault("keyed", method == "POST")
            summary = (handler.__doc__ or "").partition("\n")[0]
            self._rows.append(
                Endpoint(method=method, path=path, summary=summary, handler=handler, query=query, **columns)
            )
            return handler

        return enter


API: Final = "/api/v1"
