"""Table of sessions: the backend of each, bounded, and forgotten when they idle.

A session whose backend is gone stays as such until it idles out, so that its client is told, and is not taken for a
newcomer. Sessions that began here are counted at their backends: each is counted by one gateway.
"""

from collections import Counter, OrderedDict

from ringway.core.sticky.kind import IDLE_S
from ringway.protocol.sticky_session import StickySession
from ringway.types import Incarnation

SessionKey = tuple[str, str, str]
"""Group, kind and id."""


class _Entry:
    __slots__ = ("is_gone", "is_own", "is_under_way", "seen_at", "session")

    def __init__(self, session: StickySession, now: float, *, is_own: bool) -> None:
        self.session = session
        self.seen_at = now
        self.is_own = is_own
        self.is_gone = False
        self.is_under_way = 0  # requests and WebSockets of it


class SessionTable:
    """The sessions that one gateway knows, at most `sessions_max`: then the one that idled longest is forgotten.

    `now` is monotonic.
    """

    def __init__(self, sessions_max: int) -> None:
        self._sessions_max = sessions_max
        self._entries: OrderedDict[SessionKey, _Entry] = OrderedDict()  # seen the longest ago first
        self._own: Counter[Incarnation] = Counter()

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, session: StickySession, now: float, *, is_own: bool) -> bool:
        """Note a session that has begun; return False if it is known already, and stays as it is."""
        key = (session.group, session.kind, session.id)
        if key in self._entries:
            return False
        while len(self._entries) >= self._sessions_max:
            self._remove(next(iter(self._entries)))
        self._entries[key] = _Entry(session, now, is_own=is_own)
        if is_own:
            self._own[session.incarnation] += 1
        return True

    def find(self, key: SessionKey) -> tuple[StickySession | None, bool]:
        """Return the session, and True if it is known and its backend is gone; None if it is unknown."""
        entry = self._entries.get(key)
        return (entry.session, entry.is_gone) if entry is not None else (None, False)

    def begin_use(self, key: SessionKey, now: float, *, carried: bool = False) -> None:
        """Record that a request of a session is under way until `end_use`; or its WebSocket, which is `carried` and
        counted in its place."""
        entry = self._entries.get(key)
        if entry is not None:
            entry.is_under_way += 1
            if carried and not entry.is_gone:
                self._uncount(entry)
                entry.is_own = False
            entry.seen_at = now
            self._entries.move_to_end(key)

    def end_use(self, key: SessionKey, now: float) -> None:
        """Record the end of a request or WebSocket of a session."""
        entry = self._entries.get(key)
        if entry is not None:
            entry.is_under_way = max(0, entry.is_under_way - 1)
            entry.seen_at = now
            self._entries.move_to_end(key)

    def lose(self, key: SessionKey) -> None:
        """Record that the backend of a session is gone."""
        entry = self._entries.get(key)
        if entry is not None and not entry.is_gone:
            entry.is_gone = True
            self._uncount(entry)

    def lose_at(self, incarnation: Incarnation) -> None:
        """Record that a backend is gone, or that its drain is over: its sessions have ended."""
        for key, entry in self._entries.items():
            if entry.session.incarnation == incarnation:
                self.lose(key)

    def remove(self, key: SessionKey) -> None:
        """Forget a session that its client has ended."""
        if key in self._entries:
            self._remove(key)

    def expire(self, now: float) -> None:
        """Forget sessions that idle; call it every second or so."""
        gone = [
            key
            for key, entry in self._entries.items()
            if not entry.is_under_way and now - entry.seen_at > IDLE_S[entry.session.kind]
        ]
        for key in gone:
            self._remove(key)

    def count_at(self, incarnation: Incarnation) -> int:
        """Return how many sessions that began here are at one backend."""
        return self._own[incarnation]

    def _remove(self, key: SessionKey) -> None:
        entry = self._entries.pop(key)
        if not entry.is_gone:
            self._uncount(entry)

    def _uncount(self, entry: _Entry) -> None:
        if entry.is_own:
            incarnation = entry.session.incarnation
            self._own[incarnation] -= 1
            if not self._own[incarnation]:
                del self._own[incarnation]
