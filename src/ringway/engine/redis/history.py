"""History in Redis; see `ports.HistoryStore`. A script stores and sends each publication, atomically.

    <prefix>:<cluster>:stream:<namespace>:{<channel>}      a stream: p the previous offset, d the payload
    <prefix>:<cluster>:known:<namespace>:{<channel>}       a hash: epoch, lineage of the data, newest offset
    <prefix>:<cluster>:key:<namespace>:<hash>:{<channel>}  the offset that was stored with an idempotency key

Each channel has its own epoch. The epoch changes when the server may lack acknowledged data: when it was restarted
without all of it, or replaced a master (`lua/lineage.lua`). There is no background task: publications beyond the
retention are removed at the next use of the channel, and all of them if nothing is published for `ttl_s`; the hash
is removed a day later.
"""

import asyncio
import hashlib
import secrets
import sys
from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

from ringway.engine.outcomes import BatchOutcomes
from ringway.engine.page import within
from ringway.engine.redis import script
from ringway.engine.redis.broker import check_size
from ringway.engine.redis.command_connection import Argument, outcome_of
from ringway.engine.redis.connection import RedisConnections
from ringway.engine.redis.names import Names, end_of
from ringway.engine.redis.script import Script
from ringway.errors import EngineAway, EngineError, Unconfirmed
from ringway.ports import HistoryEntry, Page, Position, Retention
from ringway.types import Channel

KEY_S = 120.0
"""The time for which a key of `append` is remembered; shorter if the retention is shorter."""

READ_S = 10.0
"""The deadline of a whole read, with all its steps."""

STEP_BYTES = 4 << 20
"""The bytes after which an answer of a read ends; the rest is read in further steps."""

HISTORY = "history"
"""The name of appends in the condition of the engine."""

PENDING_MAX = 16_384
"""The most publications under way; further ones are refused."""


class _Step(NamedTuple):
    """An answer of a read. `proven` is True if no publication is missing before its publications."""

    epoch: str
    newest: int
    proven: bool
    publications: list[tuple[int, bytes]]


class RedisHistory:
    """Appends to and reads the streams of this cluster of members."""

    def __init__(self, connections: RedisConnections, names: Names) -> None:
        self._connections = connections
        self._names = names
        self._pending = 0
        self._live = names.prefix_of("ch")
        self._prefixes: dict[str, tuple[bytes, bytes]] = {}

    async def keep(self, retention: Retention) -> None:
        """Do nothing: each request contains the retention. Raise `EngineAway` if Redis is away."""
        self._connections.require()

    async def append(self, channel: Channel, payload: bytes, retention: Retention, key: str = "") -> Position:
        """Return when the server has stored `payload`, which it also sends to all subscribers.

        To append without waiting for each round trip, append many at once, or from several tasks.
        """
        outcomes: BatchOutcomes[Position] = BatchOutcomes(1)
        self._begin((channel, payload, key), retention, secrets.token_hex(4), outcomes, 0)
        (outcome,) = await outcomes.wait()
        if self._connections.condition.refuses or isinstance(outcome, EngineError):
            self._connections.condition.on_outcomes(HISTORY, (outcome,))
        if isinstance(outcome, EngineError):
            raise outcome
        return outcome

    async def append_many(
        self, entries: Sequence[HistoryEntry], retention: Retention, *, deadline_s: float
    ) -> list[Position | EngineError]:
        """Run the script for each entry, in one write for each server; the script of each is atomic by itself."""
        outcomes: BatchOutcomes[Position] = BatchOutcomes(len(entries))
        epoch, unsent = secrets.token_hex(4), set()
        for at, entry in enumerate(entries):
            try:
                self._begin(entry, retention, epoch, outcomes, at)
            except EngineError as error:
                unsent.add(at)
                outcomes.settle(at, error)
        found = await outcomes.wait_until(deadline_s)
        sent = [outcome for at, outcome in enumerate(found) if at not in unsent] if unsent else found
        self._connections.condition.on_outcomes(HISTORY, sent)
        return found

    def _begin(
        self, entry: HistoryEntry, retention: Retention, epoch: str, outcomes: BatchOutcomes[Position], at: int
    ) -> None:
        """Send one append; `epoch` is used if a new one begins. Raise `EngineError` if it cannot be sent."""
        channel, payload, key = entry
        check_size(payload)
        if self._pending >= PENDING_MAX:
            raise EngineAway(f"Redis does not keep up: {PENDING_MAX} publications are on their way already")
        end = end_of(channel)
        stream, known = self._prefixes_of(retention)
        keys = [stream + end, known + end, self._live + end]
        if key:
            digest = hashlib.blake2b(key.encode(), digest_size=16).hexdigest()
            keys.append(self._names.prefix_of(f"key:{retention.namespace}:{digest}") + end)
        shard = self._connections.shard_of(keys[0])
        command = script.append(
            keys, shard.lineage, epoch, retention.size, int(retention.ttl_s * 1000),
            payload, self._connections.publish_word, int(min(KEY_S, retention.ttl_s) * 1000),
        )  # fmt: skip
        shard.commands.send_command(command, partial(self._settle, outcomes, at))
        self._pending += 1

    def _prefixes_of(self, retention: Retention) -> tuple[bytes, bytes]:
        """Return the beginnings of the names of the namespace's streams, and of what is known of them."""
        found = self._prefixes.get(retention.namespace)
        if found is None:
            stream, known = (self._names.prefix_of(f"{kind}:{retention.namespace}") for kind in ("stream", "known"))
            found = self._prefixes[retention.namespace] = stream, known
        return found

    def _settle(self, outcomes: BatchOutcomes[Position], at: int, reply: Any) -> None:
        self._pending -= 1
        outcome = outcome_of(reply)
        if not isinstance(outcome, EngineError):
            epoch, offset = outcome
            outcome = Position(epoch.decode(), int(offset))
        outcomes.settle(at, outcome)

    async def position(self, channel: Channel, retention: Retention) -> Position:
        """Return the position that the server knows: one round trip."""
        keys = self._keys(channel, retention)
        epoch, offset = await self._run(script.position, keys, retention)
        return Position(epoch.decode(), int(offset))

    async def read(
        self,
        channel: Channel,
        retention: Retention,
        since: int | None,
        limit: int,
        reverse: bool = False,
        bytes_max: int = sys.maxsize,
    ) -> Page:
        """Read in steps of some MiB, each atomic; publications that arrive between the steps are read too."""
        try:
            async with asyncio.timeout(READ_S):
                if since is None or reverse:
                    return await self._read_back(channel, retention, since, limit, bytes_max)
                return await self._read_on(channel, retention, since, limit, bytes_max)
        except TimeoutError:
            raise EngineAway(f"Redis did not answer for the history within {READ_S:g} s; retry") from None
        except Unconfirmed as error:
            raise EngineAway(str(error)) from None  # a read has no effect, so a retry is safe

    async def remove(self, channel: Channel, retention: Retention) -> None:
        """Remove the stream; its newest offset stays known: one round trip."""
        await self._run(script.remove, self._keys(channel, retention), retention)

    async def _read_back(
        self, channel: Channel, retention: Retention, since: int | None, limit: int, bytes_max: int
    ) -> Page:
        step = await self._read_step(channel, retention, since, limit, bytes_max, back=True)
        found = step.publications
        while step.publications and len(found) < limit and (left := bytes_max - _size(found)) > 0:
            step = await self._read_step(channel, retention, found[-1][0], limit - len(found), left, back=True)
            found += step.publications
        return Page(step.epoch, step.newest, within(found, limit, bytes_max)[::-1], complete=False)

    async def _read_on(self, channel: Channel, retention: Retention, since: int, limit: int, bytes_max: int) -> Page:
        first = step = await self._read_step(channel, retention, since, limit, bytes_max)
        found, complete = step.publications, step.proven
        while step.publications and len(found) < limit and found[-1][0] < step.newest:
            left = bytes_max - _size(found)
            if left <= 0:
                break
            step = await self._read_step(channel, retention, found[-1][0], limit - len(found), left)
            if step.epoch != first.epoch:
                raise EngineAway("the history began anew while it was read; retry")
            found += step.publications
            complete = complete and step.proven
        found = within(found, limit, bytes_max)
        reached = found[-1][0] if found else since
        return Page(step.epoch, step.newest, found, complete and reached == step.newest)

    async def _read_step(
        self,
        channel: Channel,
        retention: Retention,
        since: int | None,
        limit: int,
        bytes_max: int,
        *,
        back: bool = False,
    ) -> _Step:
        keys = self._keys(channel, retention)
        at = "" if since is None else since
        answer = self._run(script.read, keys, retention, at, limit, int(back), min(bytes_max, STEP_BYTES))
        epoch, newest, proven, entries = await answer
        found = list(zip(map(int, entries[::2]), entries[1::2], strict=True))
        return _Step(epoch.decode(), int(newest), bool(proven), found)

    def _keys(self, channel: Channel, retention: Retention) -> tuple[bytes, bytes]:
        end = end_of(channel)
        stream, known = self._prefixes_of(retention)
        return stream + end, known + end

    def _run(
        self, script: Script, keys: Sequence[bytes], retention: Retention, *arguments: Argument
    ) -> asyncio.Future[Any]:
        """Run a script about a stream at its server; stream.lua describes the first arguments."""
        shard = self._connections.shard_of(keys[0])
        about = shard.lineage, secrets.token_hex(4), retention.size, int(retention.ttl_s * 1000)
        return shard.commands.execute(script(keys, *about, *arguments))


def _size(publications: list[tuple[int, bytes]]) -> int:
    return sum(len(payload) for _, payload in publications)
