"""Who may talk to the daemon, rule by rule."""

from __future__ import annotations

import pytest

from api.rules import FAILURES_PER_SECOND, FailureLimit, Head, Rules, check_media_type, read_head
from supervisor.errors import (
    HeadersTooLarge,
    HoodyError,
    MalformedRequest,
    Misdirected,
    NotAllowed,
    RequestTooLarge,
    TooManyRequests,
    Unauthorized,
    UnsupportedMediaType,
)

PORT = 4242
TOKEN = b"the-token"
GOOD = {b"host": b"127.0.0.1:4242", b"authorization": b"Bearer the-token"}


def rules(*, now: float = 0.0, port: int = PORT) -> Rules:
    return Rules(port=port, open_paths={"/livez"}, verify_token=TOKEN.__eq__, clock=lambda: now)


def head(method: str = "GET", path: str = "/api/v1/agents", **headers: bytes) -> Head:
    named = {name.replace("_", "-").encode(): value for name, value in headers.items()}
    return read_head(method, path, path.encode(), {**GOOD, **named}.items())


@pytest.mark.parametrize("host", [b"127.0.0.1:4242", b"localhost:4242", b"LOCALHOST:4242", b"[::1]:4242"])
def test_our_own_names_with_our_port_are_let_through(host: bytes) -> None:
    rules().check(head(host=host))


@pytest.mark.parametrize(
    "host",
    [
        b"",
        b"127.0.0.1",
        b"127.0.0.1:80",
        b"127.0.0.1:42420",
        b"0.0.0.0:4242",
        b"evil.example:4242",
        b"127.0.0.1.evil.example:4242",
        b"localhost.:4242",
        b"localhost:4242, evil.example",
        b"[::]:4242",
        b"::1:4242",
        b"127.0.0.2:4242",
        b"user@127.0.0.1:4242",
        b"2130706433:4242",
        b"\xff:4242",
    ],
)
def test_any_other_host_is_misdirected(host: bytes) -> None:
    with pytest.raises(Misdirected):
        rules().check(head(host=host))


def test_two_host_headers_are_misdirected() -> None:
    twice = read_head("GET", "/livez", b"/livez", [(b"host", GOOD[b"host"]), (b"host", GOOD[b"host"])])

    with pytest.raises(Misdirected):
        rules().check(twice)


def test_without_a_port_only_port_80_is_named() -> None:
    rules(port=80).check(head(host=b"localhost"))


@pytest.mark.parametrize(
    "origin",
    [b"null", b"http://evil.example", b"https://127.0.0.1:4242", b"http://127.0.0.1:4243", b"http://[::1]:4242", b""],
)
def test_a_foreign_origin_is_refused_even_with_the_token(origin: bytes) -> None:
    with pytest.raises(NotAllowed) as caught:
        rules().check(head(origin=origin))

    assert type(caught.value) is NotAllowed


def test_our_own_origin_is_let_through() -> None:
    rules().check(head(origin=b"http://127.0.0.1:4242"))


@pytest.mark.parametrize("site", [b"cross-site", b"same-site", b"", b"Same-Origin"])
def test_a_request_that_a_foreign_page_caused_is_refused(site: bytes) -> None:
    with pytest.raises(NotAllowed):
        rules().check(head(sec_fetch_site=site))


@pytest.mark.parametrize("site", [b"same-origin", b"none"])
def test_a_request_of_our_own_page_or_of_the_user_is_let_through(site: bytes) -> None:
    rules().check(head(sec_fetch_site=site))


@pytest.mark.parametrize(
    "authorization",
    [
        b"",
        b"Bearer",
        b"Bearer ",
        b"Bearer wrong",
        b"Basic the-token",
        b"the-token",
        b"Bearer the-token x",
        b"Bearer \xff",
    ],
)
def test_a_wrong_or_missing_token_is_refused_in_one_sentence(authorization: bytes) -> None:
    with pytest.raises(Unauthorized) as caught:
        rules().check(head(authorization=authorization))

    assert str(caught.value) == "a valid bearer token is needed"


def test_two_tokens_are_refused() -> None:
    good = [*GOOD.items(), (b"authorization", GOOD[b"authorization"])]

    with pytest.raises(Unauthorized):
        rules().check(read_head("GET", "/x", b"/x", good))


def test_an_open_path_needs_no_token_but_every_other_rule_holds() -> None:
    rules().check(head(path="/livez", authorization=b""))

    with pytest.raises(Misdirected):
        rules().check(head(path="/livez", authorization=b"", host=b"evil"))


@pytest.mark.parametrize(
    "path", ["/livez/", "//livez", "/livez/../api", "/LIVEZ", "/livez;x", "http://127.0.0.1:4242/livez"]
)
def test_only_the_exact_open_path_is_open(path: str) -> None:
    with pytest.raises(Unauthorized):
        rules().check(head(path=path, authorization=b""))


def test_guessing_is_slowed_down_and_a_right_token_is_not() -> None:
    guarded = rules()
    for _ in range(FAILURES_PER_SECOND):
        with pytest.raises(Unauthorized):
            guarded.check(head(authorization=b"Bearer wrong"))

    with pytest.raises(TooManyRequests):
        guarded.check(head(authorization=b"Bearer wrong"))
    guarded.check(head())


def test_the_count_of_failures_begins_anew_every_second() -> None:
    now = [0.0]
    limit = FailureLimit(lambda: now[0])
    for _ in range(FAILURES_PER_SECOND):
        limit.failed()

    with pytest.raises(TooManyRequests):
        limit.failed()
    now[0] = 1.0
    limit.failed()


@pytest.mark.parametrize(
    ("refused", "error"),
    [
        (head(x=b"y" * 20_000), HeadersTooLarge),
        (head("POST", content_length=b"1048577"), RequestTooLarge),
        (head("POST", content_length=b"9" * 400), RequestTooLarge),
        (head("POST", content_length=b"-1"), MalformedRequest),
        (head("POST", content_length=b"1_0"), MalformedRequest),
        (head("POST", content_encoding=b"gzip"), UnsupportedMediaType),
        (head("POST", content_type=b"text/plain"), UnsupportedMediaType),
        (head("PUT", content_type=b"multipart/form-data; boundary=x"), UnsupportedMediaType),
        (head("POST", content_type=b"application/json; charset=latin-1"), UnsupportedMediaType),
        (head("POST", content_type=b"application/jsonp"), UnsupportedMediaType),
        (head(path="http://127.0.0.1:4242/api"), MalformedRequest),
        (head(path="//api/v1/agents"), MalformedRequest),
        (head(path="/api/v1/agents/a%2Fb"), MalformedRequest),
        (head(path="/api/v1/agents/a%2fb"), MalformedRequest),
        (head(path="/api/v1/agents/a%00"), MalformedRequest),
    ],
)
def test_what_is_too_large_or_cannot_be_read_is_refused(refused: Head, error: type[HoodyError]) -> None:
    with pytest.raises(error):
        rules().check(refused)


def test_the_body_rules_tell_nothing_to_somebody_without_a_token() -> None:
    refused = head("POST", content_type=b"text/plain", authorization=b"")

    with pytest.raises(Unauthorized):
        rules().check(refused)


def test_json_in_utf_8_is_let_through() -> None:
    for kind in (b"application/json", b"Application/JSON; charset=UTF-8", b"application/merge-patch+json"):
        rules().check(head("PATCH", content_type=kind))


def test_a_merge_patch_is_for_patches_only() -> None:
    with pytest.raises(UnsupportedMediaType):
        check_media_type(b"application/merge-patch+json", patch=False)
