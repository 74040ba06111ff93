"""What can go wrong between us and a container engine, in our words.

    Unavailable
    +- EngineUnavailable           503   nothing answers at the engine's address
    TimedOut
    +- EngineTimedOut              504   the engine took the request and did not answer in time
    NotAllowed
    +- EngineForbidden             403   the socket or the registry refuses us
    NotFound
    +- ContainerNotFound           404
    +- ImageNotFound               404
    Conflict
    +- ContainerNameTaken          409   a container that is not ours has the name
    +- PortInUse                   409
    +- ForeignContainer            409   it belongs to somebody else and is left alone
    DriverError
    +- EngineError                 502   everything else that the engine refuses
       +- EngineOutOfSpace
       +- ContainerNotRunning
       +- ContainerPaused

The engine's own sentence is kept in ``detail``: it is often the best that there is.
"""

from __future__ import annotations

from supervisor.errors import AlreadyExists, Conflict, DriverError, NotAllowed, NotFound, TimedOut, Unavailable


class EngineUnavailable(Unavailable):
    """No container engine answers at its address."""

    code = "engine_unavailable"
    title = "The container engine is not available"
    default_hint = "start the engine (for Docker: sudo systemctl start docker), or set DOCKER_HOST to where it listens"


class EngineTimedOut(TimedOut):
    """The engine did not answer in time; what was asked of it may still happen."""

    code = "engine_timed_out"
    title = "The container engine did not answer in time"


class EngineForbidden(NotAllowed):
    """The engine's socket, or a registry, refuses this user."""

    code = "engine_forbidden"
    title = "The container engine refuses this user"
    default_hint = "let the daemon's user use the engine (for Docker: sudo usermod -aG docker $USER, then log in again)"


class ContainerNotFound(NotFound):
    """The engine has no such container."""

    code = "container_not_found"
    title = "No such container"


class ImageNotFound(NotFound):
    """The image is neither here nor, as far as was asked, in a registry."""

    code = "image_not_found"
    title = "No such image"
    default_hint = "check the image's name, or pull it with: hoody containers images pull IMAGE"


class ContainerNameTaken(AlreadyExists):
    """A container that is not ours has the name."""

    code = "container_name_taken"
    title = "The container's name is taken"
    default_hint = "set container_name, or take the other container over with: hoody containers adopt NAME"


class PortInUse(Conflict):
    """A published port is taken by another container or program."""

    code = "port_in_use"
    title = "The port is in use"
    default_hint = "publish another port, or stop what listens there"


class ForeignContainer(Conflict):
    """The container belongs to somebody else, and nothing was done to it."""

    code = "foreign_container"
    title = "The container is not ours"


class EngineError(DriverError):
    """The engine refused."""

    code = "engine_error"
    title = "The container engine refused"


class EngineOutOfSpace(EngineError):
    """The engine's disk is full."""

    code = "engine_out_of_space"
    title = "The container engine has no space left"
    default_hint = "free some disk space, for example with: hoody containers prune, or docker system prune"


class ContainerNotRunning(EngineError):
    """It has ended, so that it cannot be signalled, frozen or looked into."""

    code = "container_not_running"
    title = "The container is not running"


class ContainerPaused(EngineError):
    """It is frozen, and cannot be signalled until it goes on."""

    code = "container_paused"
    title = "The container is paused"
    default_hint = "let it go on first: hoody containers resume NAME"
