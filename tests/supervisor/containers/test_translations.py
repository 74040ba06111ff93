"""What engines tell is read, whatever they leave out; what they refuse comes out in our words, with a way on."""

from __future__ import annotations

import errno
import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.containers.addresses import Certificates, EngineAddress, discover
from supervisor.containers.bookmarks import Bookmark, Bookmarks
from supervisor.containers.cursor import Place
from supervisor.containers.errors import (
    ContainerNameTaken,
    ContainerNotFound,
    ContainerNotRunning,
    ContainerPaused,
    EngineError,
    EngineForbidden,
    EngineOutOfSpace,
    EngineTimedOut,
    EngineUnavailable,
    ImageNotFound,
    PortInUse,
)
from supervisor.containers.events import Died, Frozen, HealthTold, Lines, OutOfMemory, Removed, Started, engine_event
from supervisor.containers.exits import exit_status
from supervisor.containers.facts import container_facts, container_summary, engine_facts, image_facts, nanoseconds
from supervisor.containers.frames import LineMender, LogMessage
from supervisor.containers.images import split_image
from supervisor.containers.ownership import describe
from supervisor.containers.refusals import refusal, unreachable
from supervisor.containers.stats import container_stats
from supervisor.errors import HoodyError
from supervisor.logs import Position
from supervisor.units.driver import ExitStatus

HERE = EngineAddress(url="unix:///x.sock", source="the test")
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)

# ---- refusals ----


@pytest.mark.parametrize(
    ("status", "sentence", "kind"),
    [
        (409, 'Conflict. The container name "/web" is already in use by container "b1d".', ContainerNameTaken),
        (500, "Bind for 127.0.0.1:80 failed: port is already allocated", PortInUse),
        (500, "listen tcp4 127.0.0.1:80: bind: address already in use", PortInUse),
        (500, "write /var/lib/docker/x: no space left on device", EngineOutOfSpace),
        (404, "pull access denied for x, repository does not exist or may require 'docker login'", ImageNotFound),
        (404, "No such image: nope:latest", ImageNotFound),
        (404, "manifest for x:9 not found: manifest unknown: manifest unknown", ImageNotFound),
        (404, "No such container: nope", ContainerNotFound),
        (409, "Container b1 is not running", ContainerNotRunning),
        (409, "Container b1 is paused, unpause the container before exec", ContainerPaused),
        (500, "dial tcp: lookup registry-1.docker.io: no such host", EngineError),
        (403, "forbidden", EngineForbidden),
        (504, "", EngineTimedOut),
        (500, "something new", EngineError),
        (404, "", ContainerNotFound),
    ],
)
def test_what_the_engine_refuses_comes_out_as_the_error_that_it_is(
    status: int, sentence: str, kind: type[HoodyError]
) -> None:
    error = refusal(status, sentence, what="start container x")

    assert type(error) is kind
    assert str(error).startswith("cannot start container x: ")


def test_the_noise_of_five_layers_is_left_out() -> None:
    noise = (
        "OCI runtime create failed: container_linux.go:380: starting container process caused: "
        'exec: "nope": executable file not found in $PATH: unknown'
    )

    error = refusal(400, noise, what="start container x")

    assert str(error) == 'cannot start container x: exec: "nope": executable file not found in $PATH'
    assert error.hint is not None


@pytest.mark.parametrize(
    ("number", "kind", "words"),
    [
        (errno.ENOENT, EngineUnavailable, "there is no such socket"),
        (errno.ECONNREFUSED, EngineUnavailable, "nobody listens there"),
        (errno.EACCES, EngineForbidden, "no permission"),
        (errno.EBADF, EngineUnavailable, "Bad file descriptor"),
    ],
)
def test_an_engine_out_of_reach_is_told_with_its_address_and_a_hint(
    number: int, kind: type[HoodyError], words: str
) -> None:
    error = unreachable(OSError(number, "Bad file descriptor"), HERE)

    assert type(error) is kind
    assert words in str(error)
    assert "unix:///x.sock (the test)" in str(error)
    assert error.hint


# ---- exits ----


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (0, ExitStatus(code=0)),
        (127, ExitStatus(code=127)),
        (137, ExitStatus(signal=9)),
        (139, ExitStatus(signal=11)),
        (145, ExitStatus(code=145)),  # 17 is SIGCHLD, which ends nothing
        (160, ExitStatus(code=160)),  # 32 is no signal of programs
        (255, ExitStatus(code=255)),
    ],
)
def test_the_engine_s_one_number_is_told_as_code_or_signal(code: int, status: ExitStatus) -> None:
    assert exit_status(code, out_of_memory=False, success_codes=(0,)) == status


def test_out_of_memory_is_told_of_a_kill_alone() -> None:
    assert exit_status(137, out_of_memory=True, success_codes=()) == ExitStatus(signal=9, out_of_memory=True)
    assert exit_status(1, out_of_memory=True, success_codes=()) == ExitStatus(code=1)


# ---- facts and events ----


@given(st.dictionaries(st.text(max_size=8), json_values, max_size=4))
def test_nothing_that_an_engine_tells_or_leaves_out_is_an_error(document: dict[str, object]) -> None:
    container_facts(document)
    container_facts({"State": document, "Config": document, "HostConfig": document})
    container_summary(document)
    image_facts(document)
    engine_facts(document, document)
    engine_event({"Type": "container", "Action": "die", "Actor": {"ID": "x", "Attributes": document}, **document})
    container_stats(document)


def test_times_of_the_engine_are_read_to_the_nanosecond() -> None:
    assert nanoseconds("2026-11-24T22:30:03.094626124Z") == 1_795_559_403_094_626_124
    assert nanoseconds("2026-11-24T23:30:03+01:00") == 1_795_559_403_000_000_000
    assert nanoseconds("0001-01-01T00:00:00Z") == 0
    assert nanoseconds(None) == 0


def event(action: str, **attributes: str) -> object:
    actor = {"ID": "x", "Attributes": attributes}
    return engine_event({"Type": "container", "Action": action, "Actor": actor, "timeNano": 5})


def test_events_of_docker_and_of_podman_mean_the_same() -> None:
    assert event("die", exitCode="137") == event("died", containerExitCode="137") == Died("x", 5, 137)
    assert event("destroy") == event("remove") == Removed("x", 5)
    assert event("start") == Started("x", 5)
    assert event("oom") == OutOfMemory("x", 5)
    assert event("pause") == Frozen("x", 5, paused=True)
    assert event("health_status: unhealthy") == HealthTold("x", 5, "unhealthy")
    assert event("exec_create: true") is None
    assert event("health_status: confused") is None


@given(
    st.lists(st.binary(max_size=5).filter(lambda line: b"\n" not in line and line.strip()), max_size=6),
    st.integers(1, 7),
)
def test_lines_come_out_whole_however_they_arrive(lines: list[bytes], size: int) -> None:
    wire, cut = b"\n".join(lines), Lines()

    found = [line for at in range(0, len(wire), size) for line in cut.feed(wire[at : at + size])]

    assert found + cut.finish() == lines


def test_the_end_of_a_long_line_that_the_engine_drops_is_put_back() -> None:
    mender = LineMender()
    log = [
        LogMessage("stdout", 1, b"xxxx"),
        LogMessage("stderr", 2, b"other\n"),
        LogMessage("stdout", 1, b"xx"),
        LogMessage("stdout", 3, b"next\n"),
        LogMessage("stdout", 4, b"last"),
    ]

    assert b"".join(mender.mend(each) for each in log if each.stream == "stdout") == b"xxxxxx\nnext\nlast"
    assert mender.mend(log[1]) == b"other\n"


@pytest.mark.parametrize(
    ("image", "parts"),
    [
        ("redis", ("redis", "latest")),
        ("redis:7", ("redis", "7")),
        ("localhost:5000/redis", ("localhost:5000/redis", "latest")),
        ("localhost:5000/redis:7", ("localhost:5000/redis", "7")),
        ("redis@sha256:abc", ("redis", "sha256:abc")),
    ],
)
def test_an_image_s_name_is_split_as_docker_splits_it(image: str, parts: tuple[str, str]) -> None:
    assert split_image(image) == parts


def test_a_container_that_somebody_made_is_described_as_a_definition() -> None:
    found = container_facts(
        {
            "Id": "f" * 64,
            "Name": "/theirs",
            "Config": {
                "Image": "nginx",
                "Cmd": ["nginx"],
                "Env": ["A=1", "HOODY_UNIT=x"],
                "Labels": {"traefik": "on"},
                "User": "",
            },
            "HostConfig": {
                "NetworkMode": "default",
                "PortBindings": {"80/tcp": [{"HostIp": "", "HostPort": "8080"}], "53/udp": None},
                "NanoCpus": 500_000_000,
                "PidsLimit": -1,
            },
            "Mounts": [
                {"Type": "volume", "Name": "data", "Destination": "/data", "RW": True},
                {"Type": "bind", "Source": "/srv", "Destination": "/srv", "RW": False},
            ],
        }
    )

    spec = describe(found)

    assert (spec.image, spec.command, spec.container_name, spec.adopted) == ("nginx", ("nginx",), "theirs", "f" * 64)
    assert spec.environment == {"A": "1"}
    assert spec.ports == ("0.0.0.0:8080:80",)
    assert spec.volumes == ("data:/data", "/srv:/srv:ro")
    assert (spec.limits.cpu, spec.limits.processes, spec.network, spec.user) == (0.5, None, None, None)
    assert spec.container_labels == {"traefik": "on"}


# ---- where the engine is ----


def context(home: Path, name: str, host: str) -> None:
    identity = hashlib.sha256(name.encode()).hexdigest()
    meta = home / ".docker" / "contexts" / "meta" / identity
    meta.mkdir(parents=True)
    (meta / "meta.json").write_text(json.dumps({"Name": name, "Endpoints": {"docker": {"Host": host}}}))
    tls = home / ".docker" / "contexts" / "tls" / identity / "docker"
    tls.mkdir(parents=True)
    (tls / "ca.pem").write_text("")


def test_docker_host_comes_before_everything(tmp_path: Path) -> None:
    context(tmp_path, "far", "tcp://far:2376")

    found = discover({"DOCKER_HOST": "tcp://near:2375", "DOCKER_CONTEXT": "far"}, tmp_path)

    assert found == EngineAddress(url="tcp://near:2375", source="DOCKER_HOST")


def test_the_selected_context_comes_next_with_its_certificates(tmp_path: Path) -> None:
    context(tmp_path, "far", "tcp://far:2376")
    (tmp_path / ".docker" / "config.json").write_text('{"currentContext": "far"}')

    found = discover({}, tmp_path)

    assert (found.url, found.source) == ("tcp://far:2376", "Docker context far")
    assert found.certificates is not None
    assert found.certificates.authority is not None
    assert found.certificates.key is None


def test_certificates_of_the_environment_are_used(tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_text("")
    asked = {"DOCKER_HOST": "tcp://far:2376", "DOCKER_CERT_PATH": str(tmp_path), "DOCKER_TLS_VERIFY": "1"}

    assert discover(asked, tmp_path).certificates == Certificates(None, None, str(tmp_path / "key.pem"), verify=True)


def test_a_socket_of_podman_is_found(tmp_path: Path) -> None:
    (tmp_path / "podman").mkdir()
    (tmp_path / "podman" / "podman.sock").touch()

    found = discover({"XDG_RUNTIME_DIR": str(tmp_path)}, tmp_path)

    assert found.url in {f"unix://{tmp_path}/podman/podman.sock", "unix:///var/run/docker.sock"}
    assert found.socket_path is not None


@pytest.mark.parametrize("host", ["ssh://me@far", "nonsense", "tcp://"])
def test_an_address_that_is_none_is_refused_with_a_way_on(host: str, tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailable) as caught:
        discover({"DOCKER_HOST": host}, tmp_path)

    assert caught.value.hint


def test_a_context_that_is_gone_is_told(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailable, match="'lost' is selected and cannot be read"):
        discover({"DOCKER_CONTEXT": "lost"}, tmp_path)


def test_a_broken_configuration_of_docker_means_the_default_as_it_does_for_docker(tmp_path: Path) -> None:
    (tmp_path / ".docker").mkdir()
    (tmp_path / ".docker" / "config.json").write_text("{")

    assert discover({}, tmp_path).url.startswith("unix://")


# ---- bookmarks ----


def test_a_bookmark_is_read_back_as_it_was_saved(tmp_path: Path) -> None:
    kept = Bookmark(container="c", place=Place(since=5, taken=2), ends={"stdout": Position(7, 100)})
    bookmarks = Bookmarks(tmp_path / "new")

    bookmarks.save("web", kept)

    assert bookmarks.load("web") == kept
    assert (tmp_path / "new" / "web.json").stat().st_mode & 0o777 == 0o600
    bookmarks.forget("web")
    assert bookmarks.load("web") is None


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"container": 1}', b"\xff", b'{"container":"c","since":1,"taken":2,"ends":7}']
)
def test_a_bookmark_that_cannot_be_read_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "web.json").write_bytes(content)

    assert Bookmarks(tmp_path).load("web") is None


def test_what_was_kept_after_a_bookmark_is_known_unless_the_log_was_erased() -> None:
    kept = Bookmark(container="c", ends={"stdout": Position(7, 100), "stderr": Position(7, 100)})

    assert kept.beyond({"stdout": Position(7, 130), "stderr": Position(8, 130)}) == {"stdout": 30}
