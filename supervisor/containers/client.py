"""The engine's short answers, typed: a thin, blocking face on the ``docker`` package.

Every method blocks and is called in a worker thread (see :mod:`supervisor.containers.engine`). Every failure is one of
our errors. ``docker`` is imported when the first client is made: a daemon without containers never pays for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from supervisor.containers.addresses import EngineAddress
from supervisor.containers.errors import ContainerNotFound, EngineTimedOut, ImageNotFound
from supervisor.containers.facts import (
    ContainerFacts,
    ContainerSummary,
    EngineFacts,
    ImageFacts,
    container_facts,
    container_summary,
    engine_facts,
    image_facts,
)
from supervisor.containers.refusals import refusal, unreachable

ANSWER_WITHIN: Final = 30.0
"""How long the engine may be silent in the middle of an answer, in seconds."""


class Client:
    """A connection pool to one engine. Safe to use from several threads."""

    def __init__(self, address: EngineAddress) -> None:
        """Connect and agree on a version. Blocks; raises our errors."""
        self.address = address
        with self._told("ask the engine for its version"):
            from supervisor.containers.transport import connect

            self._api = connect(address, timeout=ANSWER_WITHIN)
            version, info = self._api.version(api_version=False), self._api.info()
        self.facts: EngineFacts = engine_facts(version, info)

    @property
    def _untyped(self) -> Any:  # noqa: ANN401 - the package's stubs leave these methods out or have them wrong
        return self._api

    @property
    def api_version(self) -> str:
        """The version of the engine's interface that is spoken."""
        return str(self._api.api_version)

    def close(self) -> None:
        """Close the connections that are idle."""
        self._api.close()

    def ping(self) -> None:
        """Ask for a sign of life."""
        with self._told("reach the engine"):
            self._api.ping()

    # ---- containers ----

    def create(self, document: Mapping[str, Any], *, name: str | None, platform: str | None = None) -> str:
        """Make a container and return its id. Raises ``ContainerNameTaken``, ``ImageNotFound``, ..."""
        with self._told(f"make a container of image {document.get('Image')!r}"):
            answer = self._untyped.create_container_from_config(dict(document), name, platform)
        return str(answer["Id"])

    def start(self, container: str) -> None:
        """Start it; one that runs already is left alone."""
        with self._told(f"start container {_short(container)}"):
            self._api.start(container)

    def inspect(self, container: str) -> ContainerFacts:
        """Look one up by id or name. Raises ``ContainerNotFound``."""
        with self._told(f"look at container {_short(container)}"):
            return container_facts(self._api.inspect_container(container))

    def find(self, container: str) -> ContainerFacts | None:
        """Look one up by id or name; None where there is none."""
        try:
            return self.inspect(container)
        except ContainerNotFound:
            return None

    def list(self, *, labels: Sequence[str] = (), running: bool = False) -> tuple[ContainerSummary, ...]:
        """List the containers that carry all of these labels (``KEY`` or ``KEY=VALUE``), stopped ones included."""
        filters = {"label": [*labels]} if labels else None
        with self._told("list the containers"):
            found = self._api.containers(all=not running, filters=filters)
        return tuple(map(container_summary, found))

    def kill(self, container: str, signal: int) -> None:
        """Send a signal to its first process."""
        with self._told(f"signal container {_short(container)}"):
            self._api.kill(container, signal)

    def pause(self, container: str) -> None:
        """Freeze it."""
        with self._told(f"pause container {_short(container)}"):
            self._api.pause(container)

    def unpause(self, container: str) -> None:
        """Let a frozen one go on."""
        with self._told(f"unpause container {_short(container)}"):
            self._api.unpause(container)

    def rename(self, container: str, name: str) -> None:
        """Give it another name."""
        with self._told(f"rename container {_short(container)}"):
            self._api.rename(container, name)

    def remove(self, container: str, *, volumes: bool) -> None:
        """Remove it, killed if need be, with its nameless ``volumes`` or without. One that is gone is done."""
        try:
            with self._told(f"remove container {_short(container)}"):
                self._api.remove_container(container, v=volumes, force=True)
        except ContainerNotFound:
            return

    def forget_restart_policy(self, container: str) -> None:
        """Switch the engine's own restarts off for it."""
        with self._told(f"change container {_short(container)}"):
            self._untyped.update_container(container, restart_policy={"Name": "no"})

    def top(self, container: str, options: str | None = None) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
        """List its processes: the titles, and a row for each."""
        with self._told(f"list the processes of container {_short(container)}"):
            answer = self._api.top(container, options)
        return tuple(answer["Titles"]), tuple(map(tuple, answer["Processes"] or ()))

    # ---- images ----

    def image(self, name: str) -> ImageFacts | None:
        """Look an image up; None where it is not here."""
        try:
            with self._told(f"look at image {name!r}"):
                return image_facts(self._untyped.inspect_image(name))
        except ImageNotFound:
            return None

    def images(self) -> tuple[ImageFacts, ...]:
        """List the images that are here."""
        with self._told("list the images"):
            return tuple(map(image_facts, self._api.images()))

    def remove_image(self, name: str, *, force: bool = False) -> None:
        """Remove an image, or with several names only this name. Raises ``ImageNotFound``."""
        with self._told(f"remove image {name!r}"):
            self._api.remove_image(name, force=force)

    def registry_header(self, image: str) -> Mapping[str, str]:
        """Return the header with the credentials that are stored for the registry of ``image``; may run a helper."""
        from docker.auth import get_config_header, resolve_repository_name

        with self._told(f"find the credentials for image {image!r}"):
            registry, _name = resolve_repository_name(image)
            header = get_config_header(self._api, registry)
        return {"X-Registry-Auth": header.decode()} if header else {}

    # ---- commands in a container ----

    def exec_create(
        self,
        container: str,
        command: Sequence[str],
        *,
        stdin: bool,
        tty: bool,
        environment: Mapping[str, str],
        user: str,
        directory: str | None,
    ) -> str:
        """Prepare a command and return its id."""
        with self._told(f"run a command in container {_short(container)}"):
            answer = self._api.exec_create(
                container,
                list(command),
                stdin=stdin,
                tty=tty,
                environment=dict(environment) or None,
                user=user,
                workdir=directory,
            )
        return str(answer["Id"])

    def exec_code(self, command: str) -> int | None:
        """Return the exit code of a command, None while it runs."""
        with self._told("look at a command"):
            code = self._api.exec_inspect(command).get("ExitCode")
        return code if isinstance(code, int) else None

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        """Turn every failure of the package below into one of our errors."""
        import requests
        from docker import errors

        try:
            yield
        except errors.APIError as error:
            status = error.status_code if error.status_code is not None else 500
            raise refusal(status, str(error.explanation or ""), what=what) from error
        except requests.Timeout as error:
            message = f"cannot {what}: the engine at {self.address.url} was silent for {ANSWER_WITHIN:g} s"
            raise EngineTimedOut(message) from error
        except (errors.DockerException, requests.RequestException) as error:
            raise unreachable(_root_cause(error), self.address, words=str(error)) from error


def _root_cause(error: BaseException) -> OSError | None:
    """Find the operating system's error below the layers of three packages."""
    seen: set[int] = set()
    waiting: list[object] = [error]
    while waiting:
        found = waiting.pop()
        if not isinstance(found, BaseException) or id(found) in seen:
            continue
        seen.add(id(found))
        if isinstance(found, OSError) and found.errno is not None:
            return found
        waiting.extend((found.__cause__, found.__context__, getattr(found, "reason", None), *found.args))
    return None


def _short(container: str) -> str:
    """Shorten an id for a sentence; a name stays whole."""
    return container[:12] if len(container) == 64 else repr(container)
