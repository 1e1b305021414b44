"""Member of an engine for `engines.py`, as a process of its own.

    engines_member.py publisher|subscriber|both URL off|on|file|memory

Prints a JSON line when it is ready, then obeys JSON lines on standard input, and answers each with a line:

    {"do": "listen", "trial": 3}                               forget earlier arrivals
    {"do": "publish", "trial": 3, "rate": 1000, "seconds": 5}  publish that much; prints the outcome
    {"do": "heard", "sent": 5000}                              wait for all that was sent; prints the arrivals

The last argument is the place of the history ("on" if the engine has only one place), or "off" for publications without
history. Publications are sent open-loop, a task each: each turn sends all that are due, with up to `IN_FLIGHT_MAX`
under way. CPU time is that of the whole process, the load's own included; with the memory engine it is mostly the
load's. With "both", publisher and subscriber are members of one memory engine in one process.
"""

import array
import asyncio
import gc
import json
import struct
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, cast

import uvloop

from report import percentile
from ringway.app.engine import EngineConfig, open_engine
from ringway.engine.memory.engine import MemoryHub
from ringway.errors import EngineAway
from ringway.logger import SILENT, get_logger
from ringway.ports import Engine, Retention
from ringway.types import Channel

CHANNELS = [Channel(f"bench:{number}") for number in range(100)]
RETENTION = Retention("bench", size=100, ttl_s=300)
PAYLOAD_BYTES = 128
STAMP = struct.Struct("<dI")
"""The time of the publication, by the machine's monotonic clock, and its trial."""

TICK_S = 0.001
"""The pause between two turns of the publisher; uvloop has no shorter pause."""

LATE_S = 0.002
"""The lateness of a publication's start that is ignored; lateness beyond it counts as delay."""

IN_FLIGHT_MAX = 8192
OVERTIME = 1.2
"""A trial that takes this many times its seconds is cut off: it has failed."""

QUIET_S = 1.0
"""A publication that has not arrived after a pause of this length is lost."""


class Publisher:
    """Publishes at a given rate."""

    def __init__(self, engine: Engine, kept: bool) -> None:
        self._engine = engine
        self._kept = kept
        self._refused = 0
        self._awaited = array.array("d")

    async def publish(self, trial: int, rate: float, seconds: float) -> dict[str, Any]:
        """Publish for `seconds`, and return when the engine has confirmed or refused all publications."""
        self._refused, self._awaited = 0, array.array("d")
        await reached(self._engine)
        total, sent = round(rate * seconds), 0
        used, began = time.process_time(), time.monotonic()
        took = 0.0
        async with asyncio.TaskGroup() as group:
            while sent < total and took < seconds * OVERTIME:
                turn = time.monotonic()
                due = min(total, int((turn - began) * rate) + 1, len(self._awaited) + IN_FLIGHT_MAX)
                for number in range(sent, due):
                    group.create_task(self._one(number, trial, began + number / rate))
                sent = max(sent, due)
                now = time.monotonic()
                took = now - began
                await asyncio.sleep(TICK_S if now - turn < TICK_S else 0)
        cpu_s = time.process_time() - used
        awaited = sorted(self._awaited)
        return {"sent": sent, "refused": self._refused, "per_s": sent / max(took, seconds), "cpu_s": cpu_s} | {
            "await_ms": [percentile(awaited, share) * 1e3 for share in (0.5, 0.99)]
        }

    async def _one(self, number: int, trial: int, due: float) -> None:
        channel = CHANNELS[number % len(CHANNELS)]
        began = time.monotonic()
        payload = STAMP.pack(min(began, due + LATE_S), trial).ljust(PAYLOAD_BYTES, b"x")
        try:
            if self._kept:
                await self._engine.history.append(channel, payload, RETENTION)
            else:
                await self._engine.broker.publish(channel, payload)
        except EngineAway:
            self._refused += 1
        self._awaited.append(time.monotonic() - began)


class Subscriber:
    """Records the delay of all arrivals."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._trial = 0
        self._delays = array.array("d")
        self._used = 0.0
        engine.broker.attach(self._deliver)

    async def subscribe(self) -> None:
        """Subscribe to all channels."""
        for channel in CHANNELS:
            await self._engine.broker.subscribe(channel)

    def _deliver(self, channel: Channel, payload: bytes, offset: int, previous: int) -> None:
        stamp, trial = STAMP.unpack_from(payload)
        if trial == self._trial:
            self._delays.append(time.monotonic() - stamp)

    async def listen(self, trial: int) -> dict[str, Any]:
        """Begin a trial."""
        await reached(self._engine)
        self._trial, self._delays = trial, array.array("d")
        self._used = time.process_time()
        return {}

    async def heard(self, sent: int) -> dict[str, Any]:
        """Wait for the sent publications, and return their arrivals; the first tenth of the delays is left out."""
        before = -1
        while before < len(self._delays) < sent:
            before = len(self._delays)
            until = time.monotonic() + QUIET_S
            while len(self._delays) < sent and time.monotonic() < until:
                await asyncio.sleep(0.005)
        cpu_s = time.process_time() - self._used
        warm = sorted(self._delays[len(self._delays) // 10 :]) or [float("inf")]
        delays = [percentile(warm, share) * 1e3 for share in (0.5, 0.99)]
        return {"arrived": len(self._delays), "cpu_s": cpu_s, "delay_ms": delays}


async def reached(engine: Engine) -> None:
    """Wait until the engine is there: an overloaded trial may have lost the connection."""
    while not engine.up:
        await asyncio.sleep(0.01)


@asynccontextmanager
async def opened(role: str, url: str, storage: str) -> AsyncIterator[tuple[Publisher, Subscriber]]:
    """Open the engine, once or, for both members, twice; close it with the block."""
    async with AsyncExitStack() as stack:
        if role == "both":
            hub = MemoryHub()
            engines = [cast(Engine, hub.open()) for _ in range(2)]
            for engine in engines:
                stack.push_async_callback(engine.close)
        else:
            config = EngineConfig(
                url=url,
                cluster=f"bench-{storage}",
                secret="bench-bench-bench-bench",
                history_storage="memory" if storage == "memory" else "file",
            )
            engines = [await stack.enter_async_context(open_engine(config, role))] * 2
        if storage != "off":
            await engines[0].history.keep(RETENTION)
        yield Publisher(engines[0], storage != "off"), Subscriber(engines[1])


async def serve(role: str, url: str, storage: str) -> None:
    """Obey until standard input ends."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    async with opened(role, url, storage) as (publisher, subscriber):
        if role != "publisher":
            await subscriber.subscribe()
        gc.collect()
        gc.freeze()  # otherwise full collections check all imported objects, and pause the process for 20 ms and more
        say({})
        while line := await reader.readline():
            match json.loads(line):
                case {"do": "listen", "trial": trial}:
                    say(await subscriber.listen(trial))
                case {"do": "publish", "trial": trial, "rate": rate, "seconds": seconds}:
                    say(await publisher.publish(trial, rate, seconds))
                case {"do": "heard", "sent": sent}:
                    say(await subscriber.heard(sent))


def say(answer: dict[str, Any]) -> None:
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    get_logger().level = SILENT  # standard output is for the answers
    uvloop.run(serve(*sys.argv[1:]))
