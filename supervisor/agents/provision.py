"""Gives agents their ports, and puts what is known at their start into their environment."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from functools import partial
from typing import Final

import trio
from attrs import evolve

from supervisor.agents.leases import PortLeases, holder_of
from supervisor.errors import SpawnFailed
from supervisor.store.messages import ForgetDocument, LoadDocuments, SaveDocument
from supervisor.units.provision import Store
from supervisor.units.spec import AgentSpec
from supervisor.units.templates import has_templates, render

KIND: Final = "lease"
STORE_PATIENCE: Final = 30.0

_log = logging.getLogger("hoody.units")


class AgentProvision:
    """Implements :class:`supervisor.units.provision.Provision` for agents."""

    def __init__(self, leases: PortLeases | None = None) -> None:
        self._leases = leases or PortLeases()

    async def load(self, store: Store) -> None:
        """Take up the ports that agents have had before."""
        stored: tuple[tuple[str, str], ...] = await store.ask(
            lambda reply: LoadDocuments(kind=KIND, reply_to=reply), timeout=STORE_PATIENCE
        )
        for name, text in stored:
            try:
                ports = {str(key): int(port) for key, port in json.loads(text).items()}
            except (ValueError, TypeError, AttributeError) as error:
                _log.error("what is stored of the ports of %r cannot be read: %s", name, error)
            else:
                self._leases.take_up(name, ports)

    def concerns(self, spec: AgentSpec) -> bool:
        """Tell whether an agent has ports or templates."""
        return bool(spec.ports) or any(map(has_templates, spec.environment.values()))

    def ports(self, name: str) -> Mapping[str, int]:
        """Return the ports of an agent."""
        return self._leases.of(name)

    async def prepare(self, name: str, workspace: str | None, spec: AgentSpec, store: Store) -> AgentSpec:
        """Return the definition with its ports in the environment and every template replaced."""
        ports = await self._lend(name, spec, store)
        values = {"name": name, **{f"ports.{key}": str(port) for key, port in ports.items()}}
        if workspace is not None:
            values["workspace"] = workspace
        if spec.ports:
            values["port"] = str(ports[spec.ports[0]])
        try:
            rendered = {key: render(text, values) for key, text in spec.environment.items()}
        except KeyError as error:
            raise SpawnFailed(f"the environment names {{{error.args[0]}}}, and this agent has no workspace") from None
        return evolve(spec, environment={**port_variables(spec.ports, ports), **rendered})

    async def forget(self, name: str, store: Store) -> None:
        """Take the ports of an agent back that is gone."""
        if self._leases.release(name):
            await store.ask(lambda reply: ForgetDocument(kind=KIND, name=name, reply_to=reply), timeout=STORE_PATIENCE)

    async def _lend(self, name: str, spec: AgentSpec, store: Store) -> Mapping[str, int]:
        before = self._leases.of(name)
        if not spec.ports and not before:
            return before
        ports = self._leases.grant(name, spec.ports)
        if ports != before:
            await store.ask(
                lambda reply: SaveDocument(kind=KIND, name=name, text=json.dumps(ports), reply_to=reply),
                timeout=STORE_PATIENCE,
            )
        taken = self._leases.taken(name)
        if taken is not None:
            label, port = taken
            holder = await trio.to_thread.run_sync(partial(holder_of, port), abandon_on_cancel=True)
            raise SpawnFailed(
                f"port {port}, which it has as {label!r}, is taken by {holder}",
                hint="end that process; or give the port another name in ports, and with it another number",
            )
        return ports


def port_variables(names: tuple[str, ...], ports: Mapping[str, int]) -> dict[str, str]:
    """Return the variables that tell a program its ports: ``HTTP_PORT`` for ``http``, and ``PORT`` for the first."""
    found = {f"{name.upper()}_PORT": str(ports[name]) for name in names}
    if names:
        found["PORT"] = str(ports[names[0]])
    return found
