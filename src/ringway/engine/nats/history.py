"""Publications with history (`ports.HistoryStore`): streams of JetStream, one for each namespace.

    <prefix>.kept.<namespace>.<channel>   the stream's subjects: publications are sent here
    <prefix>.ch.<channel>                 the stream republishes each publication here once it is stored (`broker`)

A subscriber subscribes in the same way with and without history. A republished message carries its sequence number and
that of the message before it on its subject, so a gap shows without a request.
"""

import asyncio
import hashlib
import secrets
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from ringway.engine.address import token
from ringway.engine.condition import Condition
from ringway.engine.nats.append import Append, Appends, Overdue
from ringway.engine.nats.connection import NatsConnection
from ringway.engine.nats.header import mark_of_removal
from ringway.engine.nats.jetstream_request import JetStreamRequest, StreamAway, WrongRevision, refusal
from ringway.engine.nats.reader import Reader
from ringway.engine.nats.stream import HistorySettings, check_version, wanted_config
from ringway.engine.nats.stream_owner import StreamOwner
from ringway.engine.nats.subscription import SubjectSubscription
from ringway.engine.outcomes import BatchOutcomes
from ringway.errors import EngineAway, EngineError, EngineUnsuitable
from ringway.ports import HistoryEntry, Page, Position, Retention
from ringway.types import Channel

READ_S = 10.0
"""The deadline of a whole read, with all its steps."""

LEADER_ELECTED = "$JS.EVENT.ADVISORY.STREAM.LEADER_ELECTED"
"""The subject of advisories about streams with replicas."""

HISTORY = "history"
"""The name of appends in the condition of the engine."""

CLOSE_S = 2.0
"""The time for which closing waits for publications under way."""


class NatsHistory:
    """Appends to and reads from the streams of this cluster of members, and applies the settings to them.

    `on_doubt` is called if subscribers may have missed stored publications, although the connection was up.
    """

    def __init__(
        self,
        connection: NatsConnection,
        jetstream: JetStreamRequest,
        cluster: str,
        settings: HistorySettings,
        condition: Condition,
        on_doubt: Callable[[], None],
    ) -> None:
        self._connection = connection
        self._jetstream = jetstream
        self._cluster = cluster
        self._prefix = f"rw.{cluster}"
        self._settings = settings
        self._condition = condition
        self._on_doubt = on_doubt
        self._appends = Appends(connection, f"{self._prefix}.inbox.{secrets.token_hex(8)}.stored")
        self._owners: dict[str, StreamOwner] = {}
        # The leader republishes stored publications. A leader that dies may not have done so, and its successor does
        # not know.
        connection.subscribe(SubjectSubscription(f"{LEADER_ELECTED}.*", self._on_leader))

    async def keep(self, retention: Retention) -> None:
        """Make the namespace's stream, or adapt it. Wait up to `stream_owner.MAKE_S` for JetStream to be ready."""
        self._connection.require()
        await self._owner(retention).adapt(retention)

    async def append(self, channel: Channel, payload: bytes, retention: Retention, key: str = "") -> Position:
        """Return when the stream has stored `payload`; it is also sent to all subscribers.

        Append many at once, or from several tasks, to avoid a round trip for each.
        """
        outcomes: BatchOutcomes[Position] = BatchOutcomes(1)
        self._begin(self._owner(retention), self._prefix_of(retention), (channel, payload, key), outcomes, 0)
        (outcome,) = await outcomes.wait()
        if self._condition.refuses or isinstance(outcome, EngineError):
            self._record((outcome,))
        if isinstance(outcome, EngineError):
            raise outcome
        return outcome

    async def append_many(
        self, entries: Sequence[HistoryEntry], retention: Retention, *, deadline_s: float
    ) -> list[Position | EngineError]:
        """Send all in one write. NATS confirms each, and many confirmations come in one read."""
        outcomes: BatchOutcomes[Position] = BatchOutcomes(len(entries))
        try:
            owner = self._owner(retention)
        except EngineError as error:
            return [error] * len(entries)
        prefix, unsent = self._prefix_of(retention), set()
        for at, entry in enumerate(entries):
            try:
                self._begin(owner, prefix, entry, outcomes, at)
            except EngineError as error:
                unsent.add(at)
                outcomes.settle(at, error)
        found = await outcomes.wait_until(deadline_s)
        self._record([outcome for at, outcome in enumerate(found) if at not in unsent] if unsent else found)
        return found

    def _begin(
        self, owner: StreamOwner, prefix: str, entry: HistoryEntry, outcomes: BatchOutcomes[Position], at: int
    ) -> None:
        """Hand one append to the owner of its stream. Raise `EngineError` if it cannot be sent."""
        channel, payload, key = entry
        header = b"NATS/1.0\r\nNats-Msg-Id: %b\r\n\r\n" % _message_id(channel, key) if key else b""
        self._appends.check(header, payload)
        owner.append(Append(prefix + token(channel), header, payload, owner, outcomes, at))

    def _record(self, outcomes: Sequence[object]) -> None:
        self._condition.on_outcomes(HISTORY, outcomes, refusals=(EngineUnsuitable, Overdue))

    async def position(self, channel: Channel, retention: Retention) -> Position:
        """Ask NATS: one round trip, and one for the stream's state, which concurrent calls share."""
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
        """Read in batches (`reader`). Without `since`, or in reverse, the whole channel is read."""
        async with self._reading(channel, retention) as reader:
            if since is None or reverse:
                return await reader.read_back(since, limit, bytes_max)
            return await reader.read_on(since, limit, bytes_max)

    async def remove(self, channel: Channel, retention: Retention) -> None:
        """Store a mark behind the channel's publications, and purge all before it.

        JetStream does not remember what was purged; the mark does, for as long as what it stands for could be missed.
        """
        subject = self._prefix_of(retention) + token(channel)
        async with self._reading(channel, retention):
            name = self._owner(retention).name
            while newest := await self._jetstream.ask_leader(name, {"last_by_subj": subject}):
                try:
                    mark = await self._jetstream.store(subject, b"", mark_of_removal(newest))
                except WrongRevision:
                    continue  # a publication came between
                answer = await self._jetstream.api(f"STREAM.PURGE.{name}", {"filter": subject, "seq": mark})
                if answer.error is not None:
                    raise refusal(answer.error)
                return

    def on_loss(self) -> None:
        """Suspend appends, and fail unconfirmed ones: the connection is gone."""
        for owner in self._owners.values():
            owner.suspend()
        self._appends.fail_all()

    def on_return(self) -> None:
        """Check the streams, and make lost streams again, before the next append."""
        for owner in self._owners.values():
            owner.resume()

    async def close(self) -> None:
        """Wait shortly for publications under way, and end all other work."""
        await self._appends.close(CLOSE_S)
        for owner in self._owners.values():
            await owner.aclose()

    def _on_leader(self, subject: bytes, reply: bytes, header: bytes, payload: bytes) -> None:
        """A stream has a new leader. If the stream is Ringway's, a member made it, or its leader died."""
        if subject.startswith(f"{LEADER_ELECTED}.rw={self._cluster}=".encode()):
            self._on_doubt()

    def _prefix_of(self, retention: Retention) -> str:
        """Return the beginning of the stream's subjects, before a channel's token."""
        return f"{self._prefix}.kept.{retention.namespace}."

    def _owner(self, retention: Retention) -> StreamOwner:
        owner = self._owners.get(retention.namespace)
        if owner is None:
            check_version(self._connection.info.version)
            # '=' is in no label, so no two clusters and namespaces share a name.
            name = f"rw={self._cluster}={retention.namespace}"
            owner = StreamOwner(name, retention, self._want, self._jetstream, self._appends)
            self._owners[retention.namespace] = owner
        return owner

    def _want(self, retention: Retention) -> dict[str, Any]:
        kept = self._prefix_of(retention)
        clustered = bool(self._connection.info.cluster)
        name = self._owners[retention.namespace].name
        return wanted_config(name, kept, f"{self._prefix}.ch.", retention, self._settings, clustered)

    @asynccontextmanager
    async def _reading(self, channel: Channel, retention: Retention) -> AsyncIterator[Reader]:
        self._connection.require()
        owner = self._owner(retention)
        try:
            async with asyncio.timeout(READ_S):
                await owner.ready()
                yield Reader(self._jetstream, owner, self._prefix_of(retention) + token(channel))
        except StreamAway:
            owner.on_missing()
            raise
        except TimeoutError:
            raise EngineAway(f"NATS did not answer for the history within {READ_S:g} s; retry") from None


def _message_id(channel: Channel, key: str) -> bytes:
    """Return the id of a publication for NATS: keys belong to a channel, and may contain any bytes."""
    return hashlib.blake2b(f"{channel}\0{key}".encode(), digest_size=16).hexdigest().encode()
