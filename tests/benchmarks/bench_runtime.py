"""The actor runtime against bare trio doing the same, in one run on one machine. Prints ratios; writes JSON.

    python tests/benchmarks/bench_runtime.py [RESULT.json]

The floors: a message through a bare memory channel to a receiving task, and a request through one with its answer
through a channel of its own. Each figure is the median of several rounds, floor and candidate in turn.
"""

from __future__ import annotations

import gc
import json
import math
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import trio
from attrs import frozen

from supervisor.runtime import Actor, ActorRef, Context, Reply, System, actor, dynamic_supervisor, run, supervisor

ROUNDS = 7
TELLS = 20_000
ASKS = 5_000
ACTORS = 2_000
POSTS = 20_000


@frozen
class Add:
    """One more."""

    number: int


@frozen
class Total:
    """Answer with the total."""

    reply_to: Reply[int]


class Counter(Actor[Add | Total]):
    """Adds up."""

    def __init__(self) -> None:
        self.total = 0

    async def handle(self, message: Add | Total, _context: Context[Add | Total]) -> None:
        """Add or answer."""
        match message:
            case Add(number):
                self.total += number
            case Total(reply):
                reply.send(self.total)


async def per_second(count: int, work: Callable[[], Awaitable[None]]) -> float:
    started = time.perf_counter()
    await work()
    return count / (time.perf_counter() - started)


# ---- the floors ----


async def bare_tell() -> None:
    send, receive = trio.open_memory_channel[Any](math.inf)
    done = trio.Event()
    total = 0

    async def receiver() -> None:
        nonlocal total
        async for message in receive:
            match message:
                case Add(number):
                    total += number
                case None:
                    done.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(receiver)
        for index in range(TELLS):
            send.send_nowait(Add(1))
            if index % 500 == 499:
                await trio.lowlevel.checkpoint()
        send.send_nowait(None)
        await done.wait()
        send.close()


async def bare_ask() -> None:
    send, receive = trio.open_memory_channel[Any](math.inf)
    total = 0

    async def receiver() -> None:
        async for answer_to in receive:
            answer_to.send_nowait(total)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(receiver)
        for _ in range(ASKS):
            answer_to, answer = trio.open_memory_channel[int](1)
            send.send_nowait(answer_to)
            # An ask has a deadline, so the floor has one too.
            with trio.fail_after(5):
                await answer.receive()
        send.close()


async def bare_ask_without_deadline() -> None:
    send, receive = trio.open_memory_channel[Any](math.inf)

    async def receiver() -> None:
        async for answer_to in receive:
            answer_to.send_nowait(0)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(receiver)
        for _ in range(ASKS):
            answer_to, answer = trio.open_memory_channel[int](1)
            send.send_nowait(answer_to)
            await answer.receive()
        send.close()


# ---- the runtime ----


async def actor_tell(ref: ActorRef[Add | Total]) -> None:
    for index in range(TELLS):
        ref.tell(Add(1))
        if index % 500 == 499:
            await trio.lowlevel.checkpoint()
    await ref.ask(Total, timeout=60)


async def actor_ask(ref: ActorRef[Add | Total]) -> None:
    for _ in range(ASKS):
        await ref.ask(Total, timeout=5)


async def post_latency(system: System) -> float:
    """Return the median seconds from a post in a callback to the handler, one at a time."""
    arrived: list[float] = []

    class Target(Actor[float]):
        async def handle(self, message: float, _context: Context[float]) -> None:
            arrived.append(time.perf_counter() - message)

        async def pre_start(self, context: Context[float]) -> None:
            contexts.append(context)

    contexts: list[Context[float]] = []
    await system.dynamic("many").start_child(actor("target", Target))
    for _ in range(POSTS // 20):
        contexts[0].post(time.perf_counter())
        await trio.lowlevel.checkpoint()
        await trio.lowlevel.checkpoint()
    await system.dynamic("many").stop_child("target")
    return statistics.median(arrived)


def resident() -> int:
    """Return the resident memory of this process in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise LookupError("VmRSS")


class Idle(Actor[Add]):
    """Does nothing, like most actors most of the time."""

    __slots__ = ()


async def bytes_per_idle_actor(system: System) -> float:
    """Return the resident bytes that one idle, registered actor under a dynamic supervisor costs."""
    many = system.dynamic("many")
    # The first ones grow tables that the later ones share.
    for number in range(ACTORS // 10):
        await many.start_child(actor(f"warm{number}", Idle))
    gc.collect()
    before = resident()
    for number in range(ACTORS):
        await many.start_child(actor(f"a{number}", Idle))
    for number in range(ACTORS):
        system.registry.ref(f"a{number}").tell(Add(1))
    await trio.sleep(0.1)
    gc.collect()
    return (resident() - before) / ACTORS


async def measure() -> dict[str, float]:
    """Return every figure by name."""
    tree = supervisor("root", children=[actor("counter", Counter, mailbox=10**6), dynamic_supervisor("many")])
    rates: dict[str, list[float]] = {name: [] for name in ("bare_tell", "tell", "bare_ask", "bare_ask_plain", "ask")}
    async with trio.open_nursery() as nursery:
        system: System = await nursery.start(run, tree)
        per_actor = await bytes_per_idle_actor(system)
        latency = await post_latency(system)
        ref = system.registry.ref("counter")
        for _ in range(ROUNDS):
            rates["bare_tell"].append(await per_second(TELLS, bare_tell))
            rates["tell"].append(await per_second(TELLS, partial(actor_tell, ref)))
            rates["bare_ask"].append(await per_second(ASKS, bare_ask))
            rates["bare_ask_plain"].append(await per_second(ASKS, bare_ask_without_deadline))
            rates["ask"].append(await per_second(ASKS, partial(actor_ask, ref)))
        system.shutdown("measured")
    figures = {f"{name}_per_second": statistics.median(values) for name, values in rates.items()}
    figures["tell_ratio"] = figures["tell_per_second"] / figures["bare_tell_per_second"]
    figures["ask_ratio"] = figures["ask_per_second"] / figures["bare_ask_per_second"]
    figures["ask_ratio_to_floor_without_deadline"] = figures["ask_per_second"] / figures["bare_ask_plain_per_second"]
    figures["bytes_per_idle_actor"] = per_actor
    figures["post_to_handler_seconds"] = latency
    return figures


GOALS = {"tell_ratio": (">=", 0.5), "ask_ratio": (">=", 0.5), "bytes_per_idle_actor": ("<=", 8192.0)}


def main(argv: list[str] | None = None) -> dict[str, float]:
    """Measure, print, write the file that was named, and return the figures."""
    arguments = sys.argv[1:] if argv is None else argv
    figures = trio.run(measure)
    for name, value in figures.items():
        goal = "  goal {} {:g}".format(*GOALS[name]) if name in GOALS else ""
        print(f"{name:45}{value:>16,.6g}{goal}")
    if arguments:
        Path(arguments[0]).write_text(json.dumps(figures, indent=2) + "\n")
    return figures


if __name__ == "__main__":
    main()
