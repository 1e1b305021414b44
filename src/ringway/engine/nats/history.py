"""Publications that NATS keeps; see `ports.History`. Streams of JetStream, one for each namespace.

    <prefix>.kept.<namespace>.<channel>   where kept publications are sent: the stream's subjects
    <prefix>.ch.<channel>                 where the stream sends each on once it is stored (`nats_broker`)

A subscriber needs the same interest for a channel with history and one without. What the stream sends on carries its
sequence number and that of the message before it on its subject, so a gap shows without a question.
"""

import asyncio
import hashlib
import secrets
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from ringway.engine.address import token
from ringway.engine.condition import Condition
from ringway.engine.nats.append import Append, Appends, Overdue
from ringway.engine.nats.connection import SubjectTap, Wire
from ringway.engine.nats.jetstream_request import Inquiry, StreamAway
from ringway.engine.nats.reader import Reader
from ringway.engine.nats.stream import HistorySettings, wanted_config
from ringway.engine.nats.stream_owner import Keeper
from ringway.errors import EngineAway, EngineUnsuitable
from ringway.ports import Page, Position, Retention
from ringway.types import Channel

READ_S = 10.0
"""How long a whole read may take, with all its steps."""

VERSION_MIN = (2, 11)
"""The first NATS with direct reads in batches."""

LEADER_ELECTED = "$JS.EVENT.ADVISORY.STREAM.LEADER_ELECTED"
"""Where NATS tells of streams with replicas."""

HISTORY = "history"
"""What appends are called in the condition of the engine."""

CLOSE_S = 2.0
"""How long closing waits for publications under way."""


class NatsHistory:
    """Appends to, reads from and looks after the streams of this cluster of members."""

    def __init__(self, wire: Wire, cluster: str, prefix: str, settings: HistorySettings, condition: Condition) -> None:
        self._wire = wire
        self._cluster = cluster
        self._prefix = prefix
        self._settings = settings
        self._condition = condition
        self._watch = condition.watch_service(HISTORY)
        inbox = f"{prefix}.inbox.{secrets.token_hex(8)}"
        self._appends = Appends(wire, f"{inbox}.stored")
        self._inquiry = Inquiry(wire, f"{inbox}.said")
        self._keepers: dict[str, Keeper] = {}
        self.on_doubt: Callable[[], None] = _nothing
        """Called when subscribers may have missed what is stored, although the connection stood."""
        # The leader sends on what was stored. One that dies may not have done so, and its successor does not know.
        wire.tap(SubjectTap(f"{LEADER_ELECTED}.*", self._led))

    async def keep(self, retention: Retention) -> None:
        """Make the namespace's stream, or adapt it. Waits `nats_keeper.MAKE_S` for JetStream to be ready."""
        self._wire.require()
        await self._keeper(retention).adapt(retention)

    async def append(self, channel: Channel, payload: bytes, retention: Retention, key: str = "") -> Position:
        """Return when the stream has stored `payload`, which is also sent to all who are subscribed.

        Who does not want to wait for a round trip appends from several tasks.
        """
        header = b"NATS/1.0\r\nNats-Msg-Id: %b\r\n\r\n" % _message_id(channel, key) if key else b""
        self._appends.check(header, payload)
        keeper = self._keeper(retention)
        append = Append(self._subject(channel, retention), header, payload, keeper)
        keeper.append(append)
        try:
            with self._watch:
                offset = await append.future
        except Overdue as error:
            self._condition.on_refused(HISTORY, error)
            raise
        return Position(keeper.epoch, offset)

    async def position(self, channel: Channel, retention: Retention) -> Position:
        """Ask NATS: one round trip, and a look at the stream that all who ask at the same time share."""
        async with self._reading(channel, retention) as reader:
            return await reader.position()

    async def read(
        self,
        channel: Channel,
        retention: Retention,
        since: int | None,
        limit: int,
        reverse: bool = False,
        bytes_max: int = sys.maxsize,
    ) -> Page:
        """Read in batches; see `nats_read`. Without `since`, or in reverse, all that is kept passes by."""
        async with self._reading(channel, retention) as reader:
            if since is None or reverse:
                return await reader.read_back(since, limit, bytes_max)
            return await reader.read_on(since, limit, bytes_max)

    def lost(self) -> None:
        """The connection is gone, and with it the answers to all that was asked."""
        for keeper in self._keepers.values():
            keeper.close()
        self._appends.lost()
        self._inquiry.lost()

    def returned(self) -> None:
        """NATS is back: look at the streams, and make again those that it lost, before anything is appended."""
        for keeper in self._keepers.values():
            keeper.open()

    async def close(self) -> None:
        """Wait shortly for publications under way, and end all else."""
        await self._appends.close(CLOSE_S)
        self._inquiry.lost()
        for keeper in self._keepers.values():
            await keeper.end()

    def _led(self, subject: bytes, reply: bytes, header: bytes, payload: bytes) -> None:
        """A stream has a new leader; of ours, this is what it was asked for by whoever made it, or a death."""
        if subject.startswith(f"{LEADER_ELECTED}.rw={self._cluster}=".encode()):
            self.on_doubt()

    def _subject(self, channel: Channel, retention: Retention) -> str:
        return f"{self._prefix}.kept.{retention.namespace}.{token(channel)}"

    def _keeper(self, retention: Retention) -> Keeper:
        keeper = self._keepers.get(retention.namespace)
        if keeper is None:
            self._check_version()
            # '=' is in no label, so no two clusters and namespaces share a name.
            name = f"rw={self._cluster}={retention.namespace}"
            keeper = Keeper(name, retention, self._want, self._inquiry, self._appends)
            self._keepers[retention.namespace] = keeper
        return keeper

    def _check_version(self) -> None:
        version = str(self._wire.server_info.get("version", ""))
        numbers = tuple(int(part) for part in version.split("-")[0].split(".")[:2] if part.isdigit())
        if numbers < VERSION_MIN:
            wanted = ".".join(map(str, VERSION_MIN))
            raise EngineUnsuitable(f"NATS {version} cannot keep history as it is read here; use {wanted} or newer")

    def _want(self, retention: Retention) -> dict[str, Any]:
        kept = f"{self._prefix}.kept.{retention.namespace}."
        clustered = "cluster" in self._wire.server_info
        name = self._keepers[retention.namespace].name
        return wanted_config(name, kept, f"{self._prefix}.ch.", retention, self._settings, clustered)

    @asynccontextmanager
    async def _reading(self, channel: Channel, retention: Retention) -> AsyncIterator[Reader]:
        self._wire.require()
        keeper = self._keeper(retention)
        try:
            async with asyncio.timeout(READ_S):
                await keeper.ready()
                yield Reader(self._inquiry, keeper, self._subject(channel, retention))
        except StreamAway:
            keeper.missing()
            raise
        except TimeoutError:
            raise EngineAway(f"NATS did not answer for the history within {READ_S:g} s; retry") from None


def _nothing() -> None:
    """Stands for `on_doubt` until it is set."""


def _message_id(channel: Channel, key: str) -> bytes:
    """Return what NATS knows a publication by: keys are a channel's own, and may hold anything."""
    return hashlib.blake2b(f"{channel}\0{key}".encode(), digest_size=16).hexdigest().encode()
