"""History of the memory engine: a store that its members share, and the port over it (`ports.History`).

As in the engines that it stands for, the channels of a namespace share one row of offsets, so those of a channel
have gaps. Unlike them it remembers for each channel up to where something is gone, so what it says of completeness is
exact while the channel holds anything; of channels that have become empty it remembers the newest offset of all.

Nothing runs by itself: what has expired goes when the namespace is next touched, by the hub's clock.
"""

import secrets
import sys
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field

from ringway.engine.page import newest_within, within
from ringway.ports import Page, Position, Retention
from ringway.types import Channel

KEY_S = 120.0
"""For how long a key of `append` is remembered, where publications are kept as long."""

KEYS_MAX = 100_000
"""How many keys of a namespace are remembered; beyond that the oldest is forgotten early."""


@dataclass(slots=True)
class _Kept:
    """What is kept of one channel: offsets, ascending, and up to which offset something is gone."""

    gone: int
    offsets: deque[int] = field(default_factory=deque)


class Namespace:
    """The kept publications of the channels of a namespace, under one `retention`. `now` is in seconds."""

    def __init__(self, retention: Retention) -> None:
        self.retention = retention
        self.epoch = secrets.token_hex(4)
        self._newest = 0
        self._gone = 0  # of channels that are empty
        self._publications: OrderedDict[int, tuple[float, Channel, bytes]] = OrderedDict()
        self._channels: dict[Channel, _Kept] = {}
        self._keys: OrderedDict[tuple[Channel, str], tuple[float, int]] = OrderedDict()

    def adapt(self, retention: Retention) -> None:
        """Keep from now on as much as `retention` says; what is more goes at once."""
        self.retention = retention
        for channel in list(self._channels):
            self._trim(channel)

    def find(self, channel: Channel, key: str, now: float) -> int | None:
        """The offset of the publication that was stored with `key`, where that is remembered."""
        while self._keys and (len(self._keys) > KEYS_MAX or next(iter(self._keys.values()))[0] <= now):
            self._keys.popitem(last=False)
        found = self._keys.get((channel, key)) if key else None
        return found[1] if found else None

    def store(self, channel: Channel, payload: bytes, key: str, now: float) -> tuple[int, int]:
        """Keep `payload`; return its offset, and that of the publication before it (0: none is kept)."""
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

    def newest(self, channel: Channel, now: float) -> int:
        """The offset at which who has everything of `channel` stands."""
        self._expire(now)
        kept = self._channels.get(channel)
        return kept.offsets[-1] if kept else self._newest

    def read(
        self, channel: Channel, since: int | None, limit: int, reverse: bool, now: float, bytes_max: int = sys.maxsize
    ) -> Page:
        """See `ports.History.read`."""
        newest = self.newest(channel, now)
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
    """The history of a hub, as one of its members uses it; see `ports.History`."""

    def __init__(
        self,
        namespaces: dict[str, Namespace],
        now: Callable[[], float],
        require: Callable[[], None],
        send: Callable[[Channel, bytes, int, int], None],
    ) -> None:
        self._namespaces = namespaces
        self._now = now
        self._require = require
        self._send = send

    async def keep(self, retention: Retention) -> None:
        """Keep what `retention` says from now on."""
        namespace = self._open(retention)
        if namespace.retention != retention:
            namespace.adapt(retention)

    async def append(self, channel: Channel, payload: bytes, retention: Retention, key: str = "") -> Position:
        """Store `payload`, and hand it to every subscribed member's next loop turn."""
        namespace = self._open(retention)
        offset = namespace.find(channel, key, self._now())
        if offset is None:
            offset, previous = namespace.store(channel, payload, key, self._now())
            self._send(channel, payload, offset, previous)
        return Position(namespace.epoch, offset)

    async def position(self, channel: Channel, retention: Retention) -> Position:
        """Return where who has everything of `channel` stands."""
        namespace = self._open(retention)
        return Position(namespace.epoch, namespace.newest(channel, self._now()))

    async def read(
        self,
        channel: Channel,
        retention: Retention,
        since: int | None,
        limit: int,
        reverse: bool = False,
        bytes_max: int = sys.maxsize,
    ) -> Page:
        """Return what is kept."""
        return self._open(retention).read(channel, since, limit, reverse, self._now(), bytes_max)

    def _open(self, retention: Retention) -> Namespace:
        self._require()
        namespace = self._namespaces.get(retention.namespace)
        if namespace is None:
            namespace = self._namespaces[retention.namespace] = Namespace(retention)
        return namespace
