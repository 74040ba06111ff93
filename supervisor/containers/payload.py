"""A definition as the engine wants to hear it: the document of ``POST /containers/create``. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

from supervisor.containers import labels
from supervisor.containers.spec import ContainerSpec, Healthcheck, words
from supervisor.containers.volumes import Mount

_NANO: Final = 1_000_000_000
_LOGS: Final = {
    "Type": "local",
    "Config": {"max-size": "20m", "max-file": "5", "compress": "false"},
}
"""Docker's driver ``local`` keeps bytes as they are; its default ``json-file`` replaces what is not UTF-8."""


def create_document(
    spec: ContainerSpec,
    *,
    unit: str,
    incarnation: int,
    instance: str,
    environment: Mapping[str, str],
    own_logs: bool = True,
) -> dict[str, Any]:
    """Return what the engine is to make. ``own_logs=False`` leaves the log driver to the engine (Podman).

    The container's label ``dev.hoody.spec-hash`` is the hash of everything else in the document but the incarnation.
    """
    document: dict[str, Any] = {
        "Image": spec.image,
        "Cmd": words(spec.command),
        "Entrypoint": words(spec.entrypoint),
        "Env": [f"{name}={value}" for name, value in environment.items()],
        "WorkingDir": spec.directory,
        "User": spec.user,
        "Hostname": spec.hostname,
        "ExposedPorts": {f"{mapping.port}/{mapping.protocol}": {} for mapping in spec.port_mappings} or None,
        "Healthcheck": None if spec.healthcheck is None else _healthcheck(spec.healthcheck),
        "OpenStdin": spec.stdin or None,
        "AttachStdin": False,
        "HostConfig": _without_none(_host_config(spec, own_logs=own_logs)),
        "NetworkingConfig": _networking(spec),
        "Labels": dict(spec.container_labels),
    }
    document = _without_none(document)
    document["Env"] += [f"HOODY_UNIT={unit}", f"HOODY_INSTANCE={instance}"]
    spec_hash = hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()
    document["Env"].append(f"HOODY_INCARNATION={incarnation}")
    document["Labels"] |= labels.ownership(
        instance=instance, unit=unit, incarnation=incarnation, spec_hash=spec_hash[:32]
    )
    return document


def _without_none(document: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in document.items() if value is not None}


def _host_config(spec: ContainerSpec, *, own_logs: bool) -> dict[str, Any]:
    limits = spec.limits
    return {
        # We decide about restarts, and two who decide are one too many.
        "RestartPolicy": {"Name": "no"},
        "Init": spec.init,
        "LogConfig": _LOGS if own_logs else None,
        "NetworkMode": spec.network,
        "PortBindings": _port_bindings(spec),
        "ExtraHosts": list(spec.extra_hosts) or None,
        "Mounts": [_mount(mount) for mount in spec.mounts if mount.plain] or None,
        "Binds": [_bind(mount) for mount in spec.mounts if not mount.plain] or None,
        "Tmpfs": dict(_tmpfs(text) for text in spec.tmpfs) or None,
        "Memory": limits.memory,
        # As much as the memory itself: no swap on top, so that the limit is the limit.
        "MemorySwap": limits.memory,
        "NanoCpus": None if limits.cpu is None else round(limits.cpu * _NANO),
        "PidsLimit": limits.processes,
        "Ulimits": None
        if limits.open_files is None
        else [{"Name": "nofile", "Soft": limits.open_files, "Hard": limits.open_files}],
        "ShmSize": spec.shm_size,
        "DeviceRequests": None if spec.gpus is None else [_gpus(spec.gpus)],
        "Devices": [_device(text) for text in spec.devices] or None,
        "ReadonlyRootfs": spec.read_only or None,
        "CapAdd": list(spec.cap_add) or None,
        "CapDrop": list(spec.cap_drop) or None,
        "SecurityOpt": list(spec.security_opt) or None,
        "Privileged": spec.privileged or None,
    }


def _port_bindings(spec: ContainerSpec) -> dict[str, list[dict[str, str]]] | None:
    bindings: dict[str, list[dict[str, str]]] = {}
    for mapping in spec.port_mappings:
        host_port = "" if mapping.host_port is None else str(mapping.host_port)
        place = {"HostIp": mapping.address, "HostPort": host_port}
        bindings.setdefault(f"{mapping.port}/{mapping.protocol}", []).append(place)
    return bindings or None


def _networking(spec: ContainerSpec) -> dict[str, Any] | None:
    if spec.network is None or not spec.network_aliases:
        return None
    return {"EndpointsConfig": {spec.network: {"Aliases": list(spec.network_aliases)}}}


def _mount(mount: Mount) -> dict[str, Any]:
    # A bind mount in this form must exist on this machine: a mistyped path is an error and not a new, empty folder.
    kind = "bind" if mount.is_bind else "volume"
    document: dict[str, Any] = {"Type": kind, "Target": mount.target, "ReadOnly": mount.read_only}
    return document if mount.source is None else {**document, "Source": mount.source}


def _bind(mount: Mount) -> str:
    return ":".join((mount.source or "", mount.target, ",".join(mount.options)))


def _tmpfs(text: str) -> tuple[str, str]:
    target, _, options = text.partition(":")
    return target, options


def _gpus(text: str) -> dict[str, Any]:
    if text == "all":
        return {"Count": -1, "Capabilities": [["gpu"]]}
    if text.isdecimal():
        return {"Count": int(text), "Capabilities": [["gpu"]]}
    return {"DeviceIDs": text.removeprefix("device=").split(","), "Capabilities": [["gpu"]]}


def _device(text: str) -> dict[str, str]:
    outside, _, rest = text.partition(":")
    inside, _, rights = rest.partition(":")
    return {"PathOnHost": outside, "PathInContainer": inside or outside, "CgroupPermissions": rights or "rwm"}


def _healthcheck(check: Healthcheck) -> dict[str, Any]:
    if check.test == "none":
        return {"Test": ["NONE"]}
    test = ["CMD-SHELL", check.test] if isinstance(check.test, str) else ["CMD", *check.test]
    return {
        "Test": test,
        "Interval": round(check.interval * _NANO),
        "Timeout": round(check.timeout * _NANO),
        "StartPeriod": round(check.start_period * _NANO),
        "Retries": check.retries,
    }
