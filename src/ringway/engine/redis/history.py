"""Publications that Redis keeps; see `ports.History`. One script stores each and sends it on, atomically.

    <prefix>:<cluster>:stream:<namespace>:{<channel>}      a stream: p the offset before, d the payload
    <prefix>:<cluster>:known:<namespace>:{<channel>}       a hash: epoch, line of data, newest offset
    <prefix>:<cluster>:key:<namespace>:<hash>:{<channel>}  the offset that was stored with an idempotency key

Each channel has an epoch of its own. It changes when the server that is asked may lack what was acknowledged: when it
began anew without all of it, or was made the master in place of another (`lua/line.lua`). Nothing runs by itself:
what is too old or too much goes when the channel is next touched, and all of it when nothing has come for `ttl_s`; what
is known of the channel goes a day later.
"""

import asyncio
import hashlib
import secrets
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple

from ringway.engine.page import within
from ringway.engine.redis import script
from ringway.engine.redis.broker import check_size
from ringway.engine.redis.command_connection import Word
from ringway.engine.redis.connection import Wire
from ringway.engine.redis.names import Names
from ringway.engine.redis.script import Script
from ringway.errors import EngineAway, Unconfirmed
from ringway.ports import Page, Position, Retention
from ringway.types import Channel

KEY_S = 120.0
"""For how long a key of `append` is remembered, where publications are kept as long."""

READ_S = 10.0
"""How long a whole read may take, with all its steps."""

READ_BYTES = 4 << 20
"""After how many bytes one answer of a read ends; further ones are asked for."""

PENDING_MAX = 16_384
"""How many publications may be under way; more are refused."""


class _Part(NamedTuple):
    """One answer of a read: what of it there is, and whether nothing is missing before it."""

    epoch: str
    newest: int
    proven: bool
    publications: list[tuple[int, bytes]]


class RedisHistory:
    """Appends to and reads the streams of this cluster of members."""

    def __init__(self, wire: Wire, names: Names) -> None:
        self._wire = wire
        self._names = names
        self._pending = 0
        self._watch = wire.condition.watch_service("history")

    async def keep(self, retention: Retention) -> None:
        """Nothing needs to be made; each request says what is to be kept. Raise `EngineAway`."""
        self._wire.require()

    async def append(self, channel: Channel, payload: bytes, retention: Retention, key: str = "") -> Position:
        """Return when the server has stored `payload`, which is also sent to all who are subscribed.

        Who does not want to wait for a round trip appends from several tasks.
        """
        check_size(payload)
        if self._pending >= PENDING_MAX:
            raise EngineAway(f"Redis does not keep up: {PENDING_MAX} publications are on their way already")
        keys = [*self._keys(channel, retention), self._names.of("ch", channel)]
        if key:
            digest = hashlib.blake2b(key.encode(), digest_size=16).hexdigest()
            keys.append(self._names.of(f"key:{retention.namespace}:{digest}", channel))
        remember_ms = int(min(KEY_S, retention.ttl_s) * 1000)
        answer = self._run(script.append, keys, retention, payload, self._wire.publish_word, remember_ms)
        self._pending += 1
        try:
            with self._watch:
                epoch, offset = await answer
        finally:
            self._pending -= 1
        return Position(epoch.decode(), int(offset))

    async def position(self, channel: Channel, retention: Retention) -> Position:
        """Ask the server: one round trip."""
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
        """Read in steps of some MiB, each atomic; what comes in between is read too."""
        try:
            async with asyncio.timeout(READ_S):
                if since is None or reverse:
                    return await self._read_back(channel, retention, since, limit, bytes_max)
                return await self._read_on(channel, retention, since, limit, bytes_max)
        except TimeoutError:
            raise EngineAway(f"Redis did not answer for the history within {READ_S:g} s; retry") from None
        except Unconfirmed as error:
            raise EngineAway(str(error)) from None  # reading does nothing: it is safe to retry

    async def _read_back(
        self, channel: Channel, retention: Retention, since: int | None, limit: int, bytes_max: int
    ) -> Page:
        part = await self._part(channel, retention, since, limit, bytes_max, back=True)
        found = part.publications
        while part.publications and len(found) < limit and (left := bytes_max - _size(found)) > 0:
            part = await self._part(channel, retention, found[-1][0], limit - len(found), left, back=True)
            found += part.publications
        return Page(part.epoch, part.newest, within(found, limit, bytes_max)[::-1], complete=False)

    async def _read_on(self, channel: Channel, retention: Retention, since: int, limit: int, bytes_max: int) -> Page:
        first = part = await self._part(channel, retention, since, limit, bytes_max)
        found, complete = part.publications, part.proven
        while part.publications and len(found) < limit and found[-1][0] < part.newest:
            left = bytes_max - _size(found)
            if left <= 0:
                break
            part = await self._part(channel, retention, found[-1][0], limit - len(found), left)
            if part.epoch != first.epoch:
                raise EngineAway("the history began anew while it was read; retry")
            found += part.publications
            complete = complete and part.proven
        found = within(found, limit, bytes_max)
        reached = found[-1][0] if found else since
        return Page(part.epoch, part.newest, found, complete and reached == part.newest)

    async def _part(
        self,
        channel: Channel,
        retention: Retention,
        since: int | None,
        limit: int,
        bytes_max: int,
        *,
        back: bool = False,
    ) -> _Part:
        keys = self._keys(channel, retention)
        at = "" if since is None else since
        answer = self._run(script.read, keys, retention, at, limit, int(back), min(bytes_max, READ_BYTES))
        epoch, newest, proven, entries = await answer
        found = list(zip(map(int, entries[::2]), entries[1::2], strict=True))
        return _Part(epoch.decode(), int(newest), bool(proven), found)

    def _keys(self, channel: Channel, retention: Retention) -> tuple[bytes, bytes]:
        return (
            self._names.of(f"stream:{retention.namespace}", channel),
            self._names.of(f"known:{retention.namespace}", channel),
        )

    def _run(
        self, script: Script, keys: Sequence[bytes], retention: Retention, *arguments: Word
    ) -> asyncio.Future[Any]:
        """Run a script about a stream at its server; what all of these begin with is told in stream.lua."""
        shard = self._wire.shard_of(keys[0])
        about = shard.line, secrets.token_hex(4), retention.size, int(retention.ttl_s * 1000)
        return shard.commands.ask(script(keys, *about, *arguments))


def _size(publications: list[tuple[int, bytes]]) -> int:
    return sum(len(payload) for _, payload in publications)
