"""Owner of one namespace's stream: makes it, adapts it, and detects the loss of stored publications.

    closed ──make──▶ open ──connection lost, stream not there, retention changed──▶ closed

While it is closed, appends wait in a bounded queue, and leave in their order when it opens: the stream's state is read
before the first append. The newest offset that is known to have been stored must be found by each read. If it is
missing, publications were lost, and a new generation is written into the stream's metadata: a new epoch for all
clients.
"""

import asyncio
import random
from collections.abc import Callable
from typing import Any

from ringway.engine.nats.append import Append, Appends
from ringway.engine.nats.jetstream_request import JetStreamRequest, is_full, refusal
from ringway.engine.nats.outbox import UNPROCESSED_BYTES_MAX
from ringway.engine.nats.stream import STREAM_EXISTS, STREAM_NOT_FOUND, StreamInfo, adapted_config, with_new_generation
from ringway.errors import EngineAway, EngineError, EngineUnsuitable
from ringway.logger import get_logger
from ringway.ports import Retention
from ringway.tasks import Tasks

MAKE_S = 10.0
"""The time for JetStream to have the stream ready: a cluster that starts elects leaders first."""

AGAIN_S = 0.1
"""The pause between attempts, and between reads that must agree, plus a random part of up to the same length."""

READS = 5
"""The number of reads in a row that must report a loss of publications: a new leader may lag behind."""

WAITING_BYTES_MAX = UNPROCESSED_BYTES_MAX
"""The most bytes that wait for the stream to open; further appends are refused."""

BYTES_LEAST = 1 << 20
"""The smallest bound in bytes that is requested; without room for it, appends are refused."""

NEW_S = 60.0
"""The age from which an empty stream may have lost all publications: it begins a new generation."""

_log = get_logger()


class StreamOwner:
    """Owns the stream called `name`, whose configuration for a retention is `want(retention)`."""

    def __init__(
        self,
        name: str,
        retention: Retention,
        want: Callable[[Retention], dict[str, Any]],
        jetstream: JetStreamRequest,
        appends: Appends,
    ) -> None:
        self.name = name
        self.epoch = ""
        """The stream's generation, by the last read."""
        self.replicas = 1
        """The number of servers with the stream, by the last read."""
        self._retention = retention
        self._want = want
        self._jetstream = jetstream
        self._appends = appends
        self._is_open = False
        self._closings = 0
        self._confirmed = 0  # the newest offset that NATS confirmed to this process
        self._newest = 0  # the newest offset that is known to have been stored
        self._waiting: list[Append] = []
        self._waiting_bytes = 0
        self._tasks = Tasks()
        self._making: asyncio.Task[EngineError | None] | None = None
        self._reading: asyncio.Task[StreamInfo | EngineError] | None = None
        self._next_read: asyncio.Task[StreamInfo | EngineError] | None = None

    def append(self, append: Append) -> None:
        """Send `append` after all earlier appends."""
        if self._is_open:
            self._appends.send(append)
        elif self._waiting_bytes + len(append.payload) > WAITING_BYTES_MAX:
            append.settle(EngineAway(f"{WAITING_BYTES_MAX} bytes wait already for the history to be ready; retry"))
        else:
            self._waiting.append(append)
            self._waiting_bytes += len(append.payload)
            self.resume()

    async def ready(self) -> None:
        """Return when the stream is open. Raise `EngineAway`, or `EngineUnsuitable` if an operator must act."""
        while not self._is_open:
            error = await asyncio.shield(self.resume())
            if error is not None:
                raise error

    async def adapt(self, retention: Retention) -> None:
        """Return when the stream is open, with `retention` applied."""
        if retention != self._retention:
            self._retention = retention
            self.suspend()
        await self.ready()

    async def read_info(self) -> StreamInfo:
        """Return the stream's state after this call. Callers that come while a read is under way share the next."""
        found = await asyncio.shield(self._start_read())
        if isinstance(found, EngineError):
            raise found
        return found

    def on_stored(self, offset: int) -> None:
        """NATS has stored a publication of this process (`AppendListener`)."""
        if offset <= self._confirmed:  # confirmations come in the order of offsets: the stream began again
            self._start_read()
        self._confirmed = offset
        self._newest = max(self._newest, offset)

    def on_missing(self) -> None:
        """The stream did not exist for a publication of this process (`AppendListener`)."""
        self.suspend()

    def suspend(self) -> None:
        """Let appends wait until the stream's state was read."""
        self._is_open = False
        self._closings += 1

    def resume(self) -> "asyncio.Task[EngineError | None]":
        """Begin to open the stream if that is not under way. The task returns the error that prevents it, or None."""
        if self._making is None:
            self._making = self._tasks.spawn(self._make(), name=f"open stream {self.name}")
        return self._making

    async def aclose(self) -> None:
        """End the tasks under way, and refuse waiting appends."""
        await self._tasks.aclose()
        self._refuse(EngineAway("this process leaves the engine"))

    async def _make(self) -> EngineError | None:
        try:
            await self._made()
        except EngineError as error:
            self._refuse(error)
            return error
        finally:
            self._making = None
        self._is_open = True
        waiting, self._waiting, self._waiting_bytes = self._waiting, [], 0
        for append in waiting:
            if append.wanted:
                self._appends.send(append)
        return None

    async def _made(self) -> None:
        """Try until the stream has its right state, without a close in between."""
        deadline = asyncio.get_running_loop().time() + MAKE_S
        while True:
            closings = self._closings
            try:
                await self._find_or_create()
            except EngineAway:
                if asyncio.get_running_loop().time() >= deadline:
                    raise
                await _pause()
            else:
                if closings == self._closings:
                    return

    async def _find_or_create(self) -> None:
        newest = self._newest
        wanted = self._want(self._retention)
        info = await self._jetstream.api(f"STREAM.INFO.{self.name}")
        if info.error is None:
            info = await self._adapted(info, wanted)
        elif info.error.err_code == STREAM_NOT_FOUND:
            info = await self._ask_for_room("CREATE", wanted)
            if info.error is not None and info.error.err_code == STREAM_EXISTS:
                raise EngineAway("another member makes the stream, with other settings")
        await self._judge(info, newest)

    async def _adapted(self, info: StreamInfo, wanted: dict[str, Any]) -> StreamInfo:
        storage = info.config.get("storage")
        if storage != wanted["storage"]:
            problem = f"the stream {self.name} is stored in {storage}, and the setting is {wanted['storage']}"
            if storage == "memory":
                raise EngineUnsuitable(
                    f"{problem}, which NATS cannot change: set engine.history_storage to {storage}, or remove the "
                    f"stream and what it holds (`nats stream rm {self.name}`)"
                )
            _log.warning("history is stored in a file", stream=self.name, wanted=wanted["storage"])
        changed = adapted_config(info.config, wanted)
        if info.clustered and not info.state.last_seq and info.age_s > NEW_S:
            changed = with_new_generation(changed or info.config)
        had = info.config.get("max_bytes", -1)
        had = had if 0 < had < wanted["max_bytes"] else 0
        return info if changed is None else await self._ask_for_room("UPDATE", changed, had)

    async def _ask_for_room(self, request: str, config: dict[str, Any], had: int = 0) -> StreamInfo:
        """Make or change the stream; with a smaller bound if NATS cannot reserve so many bytes, which it does at once.

        A stream that `had` a smaller bound than is wanted now gets the wanted one, or stays as it is.
        """
        wanted = config["max_bytes"]
        while True:
            info = await self._jetstream.api(f"STREAM.{request}.{self.name}", config)
            less = had or config["max_bytes"] // 2
            if info.error is None or not is_full(info.error) or not (had or BYTES_LEAST) <= less < config["max_bytes"]:
                break
            config = {**config, "max_bytes": less}
        taken = config["max_bytes"]
        if info.error is None and taken not in (wanted, had):
            if request == "CREATE":
                # It may be the whole room, and other namespaces need a part of it.
                taken = max(taken // 2, BYTES_LEAST)
                info = await self._jetstream.api(f"STREAM.UPDATE.{self.name}", {**config, "max_bytes": taken})
            _log.info("NATS sets less aside for history", stream=self.name, bytes=taken, wanted=wanted)
        return info

    def _start_read(self) -> "asyncio.Task[StreamInfo | EngineError]":
        if self._next_read is None:
            self._next_read = self._tasks.spawn(self._read(self._reading), name=f"read stream {self.name}")
        return self._next_read

    async def _read(self, before: "asyncio.Task[StreamInfo | EngineError] | None") -> StreamInfo | EngineError:
        if before is not None:
            await asyncio.wait([before])
        self._reading, self._next_read = self._next_read, None  # callers from here on need a later read
        try:
            await self.ready()
            newest = self._newest  # a publication that is stored meanwhile need not be in the answer
            info = await self._jetstream.api(f"STREAM.INFO.{self.name}")
            if info.error is not None:  # the stream was removed: it is made again
                self.suspend()
                await self.ready()
                newest, info = 0, await self._jetstream.api(f"STREAM.INFO.{self.name}")
            return await self._judge(info, newest)
        except EngineError as error:
            return error
        finally:
            self._reading = None

    async def _judge(self, info: StreamInfo, newest: int) -> StreamInfo:
        """Return `info` if the stream contains `newest` or is of a new generation; otherwise begin a new generation."""
        reads = 1
        while self._told(info).epoch == self.epoch and info.state.last_seq < newest:
            if reads < READS:
                reads += 1
                await _pause()
                info = await self._jetstream.api(f"STREAM.INFO.{self.name}")
                continue
            _log.error("publications are lost", stream=self.name, stored=newest, found=info.state.last_seq)
            info = await self._jetstream.api(f"STREAM.UPDATE.{self.name}", with_new_generation(info.config))
        if info.epoch != self.epoch:
            self.epoch = info.epoch
            self._confirmed = self._newest = 0
        self.replicas = info.replicas
        self._newest = max(self._newest, info.state.last_seq)
        return info

    def _told(self, info: StreamInfo) -> StreamInfo:
        if info.error is not None:
            raise refusal(info.error)
        return info

    def _refuse(self, error: EngineError) -> None:
        waiting, self._waiting, self._waiting_bytes = self._waiting, [], 0
        for append in waiting:
            append.settle(error)


async def _pause() -> None:
    await asyncio.sleep(AGAIN_S * (1 + random.random()))
