"""History of the memory engine: the store of a namespace, and the port over it (`ports.HistoryStore`).

As in the other engines, the channels of a namespace share one sequence of offsets, so the offsets of a channel have
gaps. Unlike the other engines, the store remembers for each channel up to which offset publications are gone. So its
answer about completeness is exact while the channel holds publications. Of the channels that have become empty it
remembers only the greatest offset of all.

There is no background task: expired publications are removed at the next use of the namespace, by the engine's clock.
"""

import secrets
import sys
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ringway.engine.memory.connection import MemoryConnection
from ringway.engine.page import newest_within, within
from ringway.errors import EngineAway, EngineError
from ringway.ports import HistoryEntry, Page, Position, Retention
from ringway.types import Channel

KEY_S = 120.0
"""The time for which a key of `append` is remembered; shorter if the retention is shorter."""

KEYS_MAX = 100_000
"""Keys of a namespace that are remembered; beyond this the oldest is forgotten early."""


@dataclass(slots=True)
class _Kept:
    """The offsets of a channel's kept publications, ascending, and the offset up to which publications are gone."""

    gone: int
    offsets: deque[int] = field(default_factory=deque)


class StoredNamespace:
    """The kept publications of the channels of a namespace, under one `retention`. `now` is in seconds."""

    def __init__(self, retention: Retention) -> None:
        self.retention = retention
        self.epoch = secrets.token_hex(4)
        self._newest = 0
        self._gone = 0  # of the channels that are empty
        self._publications: OrderedDict[int, tuple[float, Channel, bytes]] = OrderedDict()
        self._channels: dict[Channel, _Kept] = {}
        self._keys: OrderedDict[tuple[Channel, str], tuple[float, int]] = OrderedDict()

    @property
    def channels(self) -> frozenset[Channel]:
        """The channels of which publications are kept."""
        return frozenset(self._channels)

    def change_retention(self, retention: Retention) -> None:
        """Apply `retention` from now on; publications beyond its size are removed at once."""
        self.retention = retention
        for channel in list(self._channels):
            self._trim(channel)

    def find_key(self, channel: Channel, key: str, now: float) -> int | None:
        """Return the offset of the publication that was stored with `key`; None if the key is not remembered."""
        while self._keys and (len(self._keys) > KEYS_MAX or next(iter(self._keys.values()))[0] <= now):
            self._keys.popitem(last=False)
        found = self._keys.get((channel, key)) if key else None
        return found[1] if found else None

    def store(self, channel: Channel, payload: bytes, key: str, now: float) -> tuple[int, int]:
        """Keep `payload`; return its offset, and the offset of the publication before it (0: none is kept)."""
        self._expire(now)
        self._newest += 1
        kept = self._channels.setdefault(channel, _Kept(self._gone))
        previous = kept.offsets[-1] if kept.offsets else 0
        kept.offsets.append(self._newest)
        self._publications[self._newest] = now, channel, payload
        self._trim(channel)
        if key:
            self._keys[channel, key] = now + min(KEY_S, self.retention.ttl_s), self._newest
        return self._newest, previous

    def remove(self, channel: Channel, now: float) -> None:
        """Remove all publications of `channel`."""
        self._expire(now)
        while channel in self._channels:
            self._drop(channel)

    def newest_offset(self, channel: Channel, now: float) -> int:
        """Return the position of a subscriber that has received all publications of `channel`."""
        self._expire(now)
        kept = self._channels.get(channel)
        return kept.offsets[-1] if kept else self._newest

    def read_page(
        self, channel: Channel, since: int | None, limit: int, reverse: bool, now: float, bytes_max: int = sys.maxsize
    ) -> Page:
        """Return the page that `ports.HistoryStore.read` describes."""
        newest = self.newest_offset(channel, now)
        kept = self._channels.get(channel, _Kept(self._gone))
        chosen = [offset for offset in kept.offsets if since is None or (offset < since if reverse else offset > since)]
        found = [(offset, self._publications[offset][2]) for offset in chosen]
        page = newest_within(found, limit, bytes_max) if reverse or since is None else within(found, limit, bytes_max)
        complete = since is not None and not reverse and kept.gone <= since <= self._newest and len(page) == len(found)
        return Page(self.epoch, newest, page, complete)

    def _expire(self, now: float) -> None:
        until = now - self.retention.ttl_s
        while self._publications:
            stored_at, channel, _ = next(iter(self._publications.values()))
            if stored_at > until:
                return
            self._drop(channel)

    def _trim(self, channel: Channel) -> None:
        while len(self._channels[channel].offsets) > self.retention.size:
            self._drop(channel)

    def _drop(self, channel: Channel) -> None:
        kept = self._channels[channel]
        kept.gone = kept.offsets.popleft()
        del self._publications[kept.gone]
        if not kept.offsets:
            del self._channels[channel]
            self._gone = max(self._gone, kept.gone)


class MemoryHistory:
    """A member's history; see `ports.HistoryStore`. `namespaces` are shared by all members."""

    def __init__(
        self,
        connection: MemoryConnection,
        namespaces: dict[str, StoredNamespace],
        send: Callable[[Channel, bytes, int, int], None],
    ) -> None:
        self._connection = connection
        self._namespaces = namespaces
        self._send = send

    async def keep(self, retention: Retention) -> None:
        """Apply `retention` from now on."""
        namespace = self._open(retention)
        if namespace.retention != retention:
            namespace.change_retention(retention)

    async def append(self, channel: Channel, payload: bytes, retention: Retention, key: str = "") -> Position:
        """Store `payload`, and give it to each subscribed member in the next turn of its loop."""
        return self._append(self._open(retention), channel, payload, key)

    async def append_many(
        self, entries: Sequence[HistoryEntry], retention: Retention, *, deadline_s: float
    ) -> list[Position | EngineError]:
        """Store the entries, and give each to the subscribed members in the next turn of their loop."""
        try:
            namespace = self._open(retention)
        except EngineAway as error:
            return [error] * len(entries)
        return [self._append(namespace, *entry) for entry in entries]

    def _append(self, namespace: StoredNamespace, channel: Channel, payload: bytes, key: str) -> Position:
        now = self._connection.now()
        offset = namespace.find_key(channel, key, now)
        if offset is None:
            offset, previous = namespace.store(channel, payload, key, now)
            self._send(channel, payload, offset, previous)
        return Position(namespace.epoch, offset)

    async def position(self, channel: Channel, retention: Retention) -> Position:
        """Return the position of a subscriber that has received all publications of `channel`."""
        namespace = self._open(retention)
        return Position(namespace.epoch, namespace.newest_offset(channel, self._connection.now()))

    async def read(
        self,
        channel: Channel,
        retention: Retention,
        since: int | None,
        limit: int,
        reverse: bool = False,
        bytes_max: int = sys.maxsize,
    ) -> Page:
        """Return the page from the store."""
        return self._open(retention).read_page(channel, since, limit, reverse, self._connection.now(), bytes_max)

    async def remove(self, channel: Channel, retention: Retention) -> None:
        """Remove the publications of `channel`."""
        self._open(retention).remove(channel, self._connection.now())

    def _open(self, retention: Retention) -> StoredNamespace:
        self._connection.require()
        namespace = self._namespaces.get(retention.namespace)
        if namespace is None:
            namespace = self._namespaces[retention.namespace] = StoredNamespace(retention)
        return namespace
