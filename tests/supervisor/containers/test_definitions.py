"""What people write about containers is read exactly, or refused with the place and the reason."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.containers.payload import create_document
from supervisor.containers.ports import PortMapping, parse_ports
from supervisor.containers.spec import ContainerLimits, ContainerSpec, Healthcheck, PullPolicy
from supervisor.containers.volumes import Mount, parse_mount
from supervisor.convert import structure, unstructure
from supervisor.errors import InvalidInput
from supervisor.units.quantities import Duration, Size


def document(spec: ContainerSpec, **keys: Any) -> dict[str, Any]:
    asked = {"unit": "web", "incarnation": 1, "instance": "i", "environment": {}} | keys
    return create_document(spec, **asked)


# ---- ports ----


@pytest.mark.parametrize(
    ("text", "mapping"),
    [
        ("80", PortMapping(port=80, protocol="tcp", address="127.0.0.1", host_port=None)),
        ("8080:80", PortMapping(port=80, protocol="tcp", address="127.0.0.1", host_port=8080)),
        ("0.0.0.0:8080:80/udp", PortMapping(port=80, protocol="udp", address="0.0.0.0", host_port=8080)),
        ("127.0.0.2::80", PortMapping(port=80, protocol="tcp", address="127.0.0.2", host_port=None)),
        ("[::1]:8080:80", PortMapping(port=80, protocol="tcp", address="::1", host_port=8080)),
    ],
)
def test_a_port_is_published_on_the_loopback_interface_unless_an_address_is_given(
    text: str, mapping: PortMapping
) -> None:
    assert parse_ports(text) == (mapping,)


def test_a_range_of_ports_is_mapped_one_by_one() -> None:
    assert [(each.host_port, each.port) for each in parse_ports("5000-5002:80-82")] == [
        (5000, 80),
        (5001, 81),
        (5002, 82),
    ]


@pytest.mark.parametrize(
    "text",
    ["", "web", "80:90:100:110", "0:80", "70000", "5000-5002:80-81", "300.1.1.1:80:80", "82-80", "1-9000:1-9000"],
)
def test_what_is_no_port_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".{10}"):
        parse_ports(text)


@given(st.text(max_size=30))
def test_no_text_breaks_the_reading_of_ports_and_mounts(text: str) -> None:
    for parse in (parse_ports, parse_mount):
        with contextlib.suppress(ValueError):
            assert parse(text)


# ---- volumes ----


@pytest.mark.parametrize(
    ("text", "mount"),
    [
        ("/data", Mount(source=None, target="/data")),
        ("data:/data", Mount(source="data", target="/data")),
        ("/srv/x:/data:ro", Mount(source="/srv/x", target="/data", options=("ro",))),
        ("/srv/x:/data:ro,z", Mount(source="/srv/x", target="/data", options=("ro", "z"))),
    ],
)
def test_mounts_are_read(text: str, mount: Mount) -> None:
    assert parse_mount(text) == mount


@pytest.mark.parametrize(
    "text", ["", ":", "data", "./x:/data", "a:b:c:d", "/x:/data:fast", "/x:/", "/a/../b:/data", "x:data"]
)
def test_what_is_no_mount_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".{10}"):
        parse_mount(text)


@pytest.mark.parametrize(
    "volume",
    ["/var/run/docker.sock:/x", "/run:/x", "/:/host:ro", "/var/run:/x:ro", "/home/me/docker.sock:/x", "/run/podman:/x"],
)
def test_what_reaches_the_engine_s_socket_is_refused_unless_it_is_said_aloud(volume: str) -> None:
    with pytest.raises(ValueError, match="root on this machine"):
        ContainerSpec(image="x", volumes=(volume,))

    assert ContainerSpec(image="x", volumes=(volume,), allow_docker_socket=True).mounts


def test_an_ordinary_folder_reaches_no_socket() -> None:
    assert not parse_mount("/srv/run:/x").reaches_the_engine
    assert not parse_mount("run:/x").reaches_the_engine


# ---- the definition as a document ----

FULL: dict[str, Any] = {
    "image": "redis:7",
    "command": ["redis-server", "--appendonly", "yes"],
    "environment": {"A": "1"},
    "ports": ["6379:6379"],
    "volumes": ["data:/data"],
    "limits": {"memory": "64MiB", "cpu": 1.5, "processes": 64},
    "healthcheck": {"test": ["redis-cli", "ping"], "interval": "5s"},
    "pull_policy": "always",
    "restart": "always",
    "backoff": {"initial": "100ms"},
    "stop_timeout": "30s",
}


def test_a_document_becomes_a_definition_and_goes_back_unchanged() -> None:
    spec = structure(ContainerSpec, FULL)

    assert spec.limits == ContainerLimits(memory=Size(64 * 1024 * 1024), cpu=1.5, processes=64)
    assert spec.pull_policy is PullPolicy.ALWAYS
    assert spec.restart_policy.backoff.initial == 0.1
    assert structure(ContainerSpec, json.loads(json.dumps(unstructure(spec)))) == spec


def test_every_fault_of_a_document_is_told_at_once_with_its_path() -> None:
    with pytest.raises(InvalidInput) as caught:
        structure(
            ContainerSpec,
            {
                "image": "not an image",
                "comand": "x",
                "ports": ["web"],
                "limits": {"cpu": -1, "memory": "1KiB"},
                "gpus": "some",
                "container_labels": {"dev.hoody.unit": "mine"},
                "user": "",
                "pull_policy": "sometimes",
            },
        )

    found = {problem.path: problem.message for problem in caught.value.problems}
    assert set(found) == {
        "image", "comand", "ports", "limits.cpu", "limits.memory", "gpus", "container_labels", "user", "pull_policy",
    }  # fmt: skip
    assert "did you mean 'command'" in found["comand"]


# ---- what the engine is asked for ----


def test_the_engine_never_restarts_what_we_restart_and_keeps_bytes_as_they_are() -> None:
    host = document(ContainerSpec(image="x"))["HostConfig"]

    assert host["RestartPolicy"] == {"Name": "no"}
    assert host["LogConfig"]["Type"] == "local"
    assert host["Init"] is True
    assert "LogConfig" not in document(ContainerSpec(image="x"), own_logs=False)["HostConfig"]


def test_the_hash_of_a_definition_changes_with_it_and_not_with_the_incarnation() -> None:
    def hashed(spec: ContainerSpec, **keys: Any) -> str:
        found: str = document(spec, **keys)["Labels"]["dev.hoody.spec-hash"]
        return found

    base = ContainerSpec(image="x")
    assert hashed(base) == hashed(base, incarnation=7)
    assert hashed(base) == hashed(ContainerSpec(image="x", stop_timeout=Duration(99.0), restart=base.restart))
    assert hashed(base) != hashed(base, environment={"A": "1"})
    assert hashed(base) != hashed(ContainerSpec(image="x", ports=("80",)))


def test_everything_in_a_definition_has_its_place_in_the_engine_s_words() -> None:
    spec = ContainerSpec(
        image="x",
        command="a 'b c'",
        entrypoint=(),
        ports=("8080:80", "0.0.0.0:53:53/udp"),
        network="net",
        network_aliases=("alias",),
        volumes=("/srv:/srv:ro", "data:/data", "/lib:/lib:z"),
        tmpfs=("/scratch:size=1m",),
        limits=ContainerLimits(memory=Size(2**26), cpu=0.5, processes=9, open_files=99),
        gpus="device=GPU-1,GPU-2",
        devices=("/dev/fuse:/dev/fuse:r",),
        healthcheck=Healthcheck(test="true", interval=Duration(1.5)),
        cap_drop=("ALL",),
    )
    asked = document(spec)
    host = asked["HostConfig"]

    assert asked["Cmd"] == ["a", "b c"]
    assert asked["Entrypoint"] == []
    assert set(asked["ExposedPorts"]) == {"80/tcp", "53/udp"}
    assert asked["Healthcheck"]["Test"] == ["CMD-SHELL", "true"]
    assert asked["Healthcheck"]["Interval"] == 1_500_000_000
    assert asked["NetworkingConfig"] == {"EndpointsConfig": {"net": {"Aliases": ["alias"]}}}
    assert host["PortBindings"]["80/tcp"] == [{"HostIp": "127.0.0.1", "HostPort": "8080"}]
    assert [mount["Type"] for mount in host["Mounts"]] == ["bind", "volume"]
    assert host["Binds"] == ["/lib:/lib:z"]
    assert host["Tmpfs"] == {"/scratch": "size=1m"}
    assert (host["Memory"], host["MemorySwap"], host["NanoCpus"], host["PidsLimit"]) == (2**26, 2**26, 500_000_000, 9)
    assert host["Ulimits"] == [{"Name": "nofile", "Soft": 99, "Hard": 99}]
    assert host["DeviceRequests"] == [{"DeviceIDs": ["GPU-1", "GPU-2"], "Capabilities": [["gpu"]]}]
    assert host["Devices"][0]["CgroupPermissions"] == "r"
    assert host["CapDrop"] == ["ALL"]
    assert json.loads(json.dumps(asked)) == asked


def test_a_health_check_can_be_switched_off() -> None:
    assert document(ContainerSpec(image="x", healthcheck=Healthcheck(test="none")))["Healthcheck"] == {"Test": ["NONE"]}


def test_every_key_of_a_definition_is_in_the_documentation() -> None:
    text = (Path(__file__).parents[3] / "docs" / "containers.md").read_text()

    missing = [field.name for field in attrs.fields(ContainerSpec) if f"`{field.name}`" not in text]
    assert missing == []
