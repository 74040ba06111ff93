"""Run the daemon: take the lock, put the parts together, run the tree until told to stop, clean up."""

from __future__ import annotations

import contextlib
import faulthandler
import json
import logging
import os
import platform
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final, NoReturn

import trio
from attrs import frozen

from api.listening import inherited, listen
from hoody.daemon.background import describe_failure
from hoody.daemon.config import load_config
from hoody.daemon.control import Control
from hoody.daemon.heap import settle
from hoody.daemon.instance import load_or_create_instance
from hoody.daemon.lock import HomeLock
from hoody.daemon.log import DaemonLog
from hoody.daemon.manager import ServiceManager
from hoody.daemon.observe import log_event
from hoody.daemon.own_file import OwnFile
from hoody.daemon.runtime_file import remove_daemon_file
from hoody.daemon.stopping import obey_signals, stop_when_asked
from hoody.daemon.stopping_file import remove_waiting_for
from hoody.daemon.successor import Inheritance
from hoody.daemon.token import TokenKeeper
from hoody.daemon.tree import Parts, make_parts, make_tree, utc_now
from hoody.home import Home, find_home, prepare_home
from supervisor.agents.host import prepare_host
from supervisor.convert import format_time
from supervisor.errors import HoodyBug, HoodyError
from supervisor.runtime import Cancelled, Crashed, ExitReason, System, run
from supervisor.units.services import Departure
from supervisor.vitals import Pulse

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

WEDGED: Final = 30.0
"""Seconds without a turn of the scheduler after which it is written down where every thread is."""
_STDERR: Final = 2
EXIT_STUCK: Final = 70
"""The exit code of a daemon that had to leave a part of itself behind that could not be ended."""

_log = logging.getLogger("hoody.daemon")


@frozen
class Inherited:
    """What the program before this one in the same process has handed on."""

    sockets: tuple[int, ...]
    lock: int


class Daemon:
    """One life of the daemon of a home.

    ``foreground`` shows the log on standard error too. ``tell`` is called with one document: once the daemon serves its
    API, or with the reason why it does not come up.
    """

    def __init__(
        self,
        home: Home,
        *,
        foreground: bool,
        tell: Callable[[dict[str, object]], None],
        inherited: Inherited | None = None,
    ) -> None:
        self._home = home
        self._foreground = foreground
        self._tell = tell
        self._started_at = utc_now()
        self._inherited = inherited
        self._manager = ServiceManager(os.environ)
        self._inheritance: Inheritance | None = None

    def run(self) -> int:
        """Run until told to stop. Returns the exit code of the process."""
        try:
            prepare_home(self._home)
            lock = self._lock()
        except HoodyError as error:
            return self._failed(error)
        try:
            return self._succeeded(self._run_locked(lock))
        except HoodyError as error:
            return self._failed(error)
        finally:
            lock.release()

    def _succeeded(self, code: int) -> int:
        """Hand this process on where that was asked for; it returns only where it was not, or could not be done."""
        if self._inheritance is None or code != 0:
            return code
        try:
            self._inheritance.replace_this_process()
        except OSError as error:
            raise HoodyBug(f"the program could not be replaced in place: {error}") from error

    def _lock(self) -> HomeLock:
        since = format_time(self._started_at)
        if self._inherited is not None:
            return HomeLock.inherit(self._inherited.lock, self._home, since=since)
        return HomeLock.take(self._home, since=since)

    def _run_locked(self, lock: HomeLock) -> int:
        home = self._home
        remove_waiting_for(home)
        config = load_config(Path(home.config_file))
        tokens = TokenKeeper.load_or_create(home.token_file)
        instance = load_or_create_instance(home.instance_file)
        host = prepare_host()
        listening = listen(config.port) if self._inherited is None else inherited(self._inherited.sockets)
        control = Control(
            home=home, instance=instance, started_at=self._started_at, tokens=tokens, departure=Departure()
        )
        control.bequeath = lambda: Inheritance(
            # Copies: the service closes its own when it is stopped, and clients are to queue on these.
            sockets=tuple(os.dup(each.fileno()) for each in listening.sockets),
            lock=lock.descriptor,
            background=not self._foreground,
            descriptors=host.descriptors.inherited,
        )
        log = DaemonLog(
            Path(home.daemon_log), level=config.log_level.number, stderr=sys.stderr if self._foreground else None
        )
        log.open()
        try:
            parts = make_parts(home, config, control, host, listening, lost_lines=lambda: log.lost)
            _log.info("the daemon starts", extra=self._facts(control))
            try:
                code = self._ended(trio.run(self._serve, parts, log))
                self._inheritance = control.inheritance
                return code
            finally:
                faulthandler.cancel_dump_traceback_later()
                if self._inheritance is None:
                    remove_daemon_file(home.daemon_file)
                remove_waiting_for(home)
                parts.close()
        except Exception as error:  # noqa: BLE001 - the last place where a defect can be told
            _log.critical("the daemon failed", exc_info=error)
            return self._failed(HoodyBug(f"the daemon failed: {error!r}"))
        finally:
            log.close()

    async def _serve(self, parts: Parts, log: DaemonLog) -> ExitReason:
        system = System()
        system.telemetry.attach(log_event)
        system.telemetry.attach(parts.health)
        pulse = Pulse(system, on_tick=lambda: faulthandler.dump_traceback_later(WEDGED, file=_STDERR))
        parts.health.follow_pulse(pulse.read)
        tree = make_tree(parts, up=lambda: self._is_up(parts))
        with trio.open_signal_receiver(*_SIGNALS) as signals:
            async with trio.open_nursery() as nursery:
                own_file = OwnFile(parts.home.config_file, system)
                nursery.start_soon(
                    partial(
                        obey_signals,
                        signals,
                        parts.control,
                        log.reopen,
                        apply=lambda: nursery.start_soon(own_file.apply),
                    )
                )
                nursery.start_soon(pulse.run)
                nursery.start_soon(self._manager.feed_watchdog)
                nursery.start_soon(self._tell_of_the_end, parts.control)
                nursery.start_soon(
                    partial(
                        stop_when_asked,
                        system,
                        parts.control,
                        parts.home,
                        views=parts.units.roster.views,
                        chains=parts.groups.chains,
                        give_up=partial(self._give_up, log),
                    )
                )
                reason = await run(tree, system=system)
                nursery.cancel_scope.cancel(reason="the tree has ended")
        return reason

    def _give_up(self, log: DaemonLog) -> NoReturn:
        """End the process now. The lock goes with it, and what it says about itself is no obstacle to the next one."""
        log.close()
        os._exit(EXIT_STUCK)

    def _is_up(self, parts: Parts) -> None:
        _log.info("the daemon is up at %s", parts.listening.url)
        self._manager.tell("READY=1", f"STATUS=serving {parts.listening.url}")
        self._tell({"pid": os.getpid(), "url": parts.listening.url})

    async def _tell_of_the_end(self, control: Control) -> None:
        await control.stopping.wait()
        if control.inheritance is None:
            self._manager.tell("STOPPING=1")

    def _facts(self, control: Control) -> dict[str, object]:
        return {
            "version": control.version,
            "pid": os.getpid(),
            "instance": control.instance,
            "python": platform.python_version(),
            **control.folders,
        }

    def _ended(self, reason: ExitReason) -> int:
        """Turn how the tree ended into the exit code, telling what went wrong."""
        match reason:
            case Crashed(error=HoodyError() as error):
                return self._failed(error)
            case Crashed(error=error):
                return self._failed(HoodyBug(f"the daemon failed: {error!r}"))
            case Cancelled(by=by):
                return self._failed(HoodyBug(f"the daemon was cut off: {by}"))
            case _:
                _log.info("the daemon has ended")
                return 0

    def _failed(self, error: HoodyError) -> int:
        if logging.getLogger().handlers:
            _log.error("%s", error, extra={"hint": error.hint})
        lines = [f"error: {error}", *([f"hint: {error.hint}"] if error.hint else [])]
        sys.stderr.write("\n".join(lines) + "\n")
        self._tell(describe_failure(error))
        return error.exit_code


def run_daemon(*, foreground: bool = True, ready_fd: int | None = None, inherited: Inherited | None = None) -> int:
    """Run the daemon of the present environment's home until it is told to stop. Returns the exit code.

    ``ready_fd`` is a pipe of whoever started it in the background: it gets one line of JSON, and is closed then.
    """
    settle()
    told = _Teller(ready_fd)
    try:
        return Daemon(find_home(), foreground=foreground, tell=told.tell, inherited=inherited).run()
    finally:
        told.close()


class _Teller:
    """Tells one document through a pipe, if there is one and somebody still reads it."""

    def __init__(self, descriptor: int | None) -> None:
        self._descriptor = descriptor

    def tell(self, document: dict[str, object]) -> None:
        if self._descriptor is not None:
            with contextlib.suppress(BrokenPipeError):
                os.write(self._descriptor, json.dumps(document).encode() + b"\n")
            self.close()

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
