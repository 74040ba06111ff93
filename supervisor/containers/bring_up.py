"""Get one container to run for one start of a unit: the blocking part, as a single piece of work for a thread.

A unit has one container at a time. It is used again at a restart, as the engine's own restart policy does: what was
written in it, and the nameless volumes of its image, live on. A new one is made when the definition or the image has
changed, when ``fresh`` is set, or when there is none. A container of ours that runs already was started by a daemon
that died before it could note that: it is found, not doubled.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from attrs import frozen

from supervisor.containers import labels
from supervisor.containers.client import Client
from supervisor.containers.errors import ContainerNameTaken, ForeignContainer
from supervisor.containers.facts import ContainerFacts, table
from supervisor.containers.payload import create_document
from supervisor.containers.spec import ContainerSpec
from supervisor.errors import HoodyError
from supervisor.units.driver import Launch

_ANONYMOUS: Final = 64
"""The length of the name that an engine gives to a volume that has none."""


@frozen(kw_only=True)
class Order:
    """Everything that is needed to bring a container up."""

    launch: Launch[ContainerSpec]
    instance: str
    environment: Mapping[str, str]
    known: str | None = None
    """The unit's last container, if it is remembered."""
    image_id: str | None = None
    """The image that is to be used; None: any that has the name."""

    @property
    def name(self) -> str:
        """What the container is to be called."""
        return self.launch.spec.container_name or self.launch.unit


@frozen(kw_only=True)
class BroughtUp:
    """The container, and whether it is one that ran before or was used before (then its log goes back further)."""

    facts: ContainerFacts
    adopted: bool = False


def bring_up(client: Client, order: Order) -> BroughtUp:
    """Make the container run. Raises our errors; then nothing of the try is left running."""
    document = create_document(
        order.launch.spec,
        unit=order.launch.unit,
        incarnation=order.launch.incarnation,
        instance=order.instance,
        environment=order.environment,
        own_logs=not client.facts.is_podman,
    )
    found = _find(client, order)
    if found is not None and _serves(found, order, document):
        if not found.state.running:
            client.start(found.id)
            found = client.inspect(found.id)
        return BroughtUp(facts=found, adopted=order.launch.spec.adopted == found.id)
    return BroughtUp(facts=_make(client, order, document, found))


def _find(client: Client, order: Order) -> ContainerFacts | None:
    """Find the unit's container; of several, which only an accident can leave behind, keep the one that runs."""
    spec = order.launch.spec
    for candidate in (order.known, spec.adopted):
        if candidate is not None:
            found = client.find(candidate)
            if found is not None and (_is_ours(found, order) or found.id == spec.adopted):
                return found
    wanted = (f"{labels.INSTANCE}={order.instance}", f"{labels.UNIT}={order.launch.unit}")
    several = sorted(client.list(labels=wanted), key=lambda each: (each.status != "running", -each.created))
    for extra in several[1:]:
        client.remove(extra.id, volumes=False)
    return client.find(several[0].id) if several else None


def _is_ours(found: ContainerFacts, order: Order) -> bool:
    return labels.belongs_to(found.labels, instance=order.instance, unit=order.launch.unit)


def _serves(found: ContainerFacts, order: Order, document: Mapping[str, Any]) -> bool:
    """Tell whether the container that is there is the one that is wanted."""
    spec = order.launch.spec
    if spec.adopted == found.id:
        return True
    if found.labels.get(labels.SPEC_HASH) != document["Labels"][labels.SPEC_HASH]:
        return False
    if found.state.running:
        return True
    changed_image = order.image_id is not None and found.image_id != order.image_id
    return not spec.fresh and not changed_image and found.state.status in {"created", "exited"}


def _make(client: Client, order: Order, document: dict[str, Any], old: ContainerFacts | None) -> ContainerFacts:
    spec = order.launch.spec
    if old is not None:
        _carry_volumes(document, old, spec)
        client.remove(old.id, volumes=spec.fresh)
    try:
        made = client.create(document, name=order.name, platform=spec.platform)
    except ContainerNameTaken as error:
        raise _whose(client, order, error) from error
    try:
        client.start(made)
        return client.inspect(made)
    except HoodyError:
        client.remove(made, volumes=True)
        raise


def _carry_volumes(document: dict[str, Any], old: ContainerFacts, spec: ContainerSpec) -> None:
    """Give the new container the nameless volumes of the old one: a changed definition is no reason to lose data."""
    if spec.fresh:
        return
    named = {mount.target for mount in spec.mounts if mount.source is not None}
    named |= {text.partition(":")[0] for text in spec.tmpfs}
    carried = {
        mount["Destination"]: {"Type": "volume", "Source": mount["Name"], "Target": mount["Destination"]}
        for mount in map(table, old.document.get("Mounts") or ())
        if mount.get("Type") == "volume"
        and len(str(mount.get("Name", ""))) == _ANONYMOUS
        and mount.get("Destination") not in named
    }
    if carried:
        kept = [mount for mount in document["HostConfig"].get("Mounts", ()) if mount["Target"] not in carried]
        document["HostConfig"]["Mounts"] = [*kept, *carried.values()]


def _whose(client: Client, order: Order, error: ContainerNameTaken) -> HoodyError:
    holder = client.find(order.name)
    owner = labels.owner_of(holder.labels) if holder is not None else None
    if owner is None:
        return error
    return ForeignContainer(
        f"cannot make a container: the name {order.name!r} belongs to a container of another Hoody Daemon ({owner})",
        hint="set container_name in one of the two definitions",
    )
