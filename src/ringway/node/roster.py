"""The open connections of a node in the order in which they came, and how many of them are in which state."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ringway.core.victim import is_cooling

if TYPE_CHECKING:
    from ringway.node.connection import Connection


class Roster:
    """Every connection from its handshake to its end. A connection tells each change of its own state, once."""

    __slots__ = ("_emptied", "_open", "_stay", "connected", "waiting")

    def __init__(self) -> None:
        self._open: dict[Connection, None] = {}  # keeps the order, and is no larger than a set
        self._stay: Counter[float] = Counter()  # how many of those connected were moved here in each second
        self._emptied = asyncio.Event()
        self._emptied.set()
        self.waiting = 0  # upgraded, no connect command yet
        self.connected = 0  # connected, and not being closed

    def __len__(self) -> int:
        return len(self._open)

    def __iter__(self) -> "Iterator[Connection]":
        """Over a copy: connections may close meanwhile."""
        return iter(list(self._open))

    def arrived(self, connection: "Connection") -> None:
        """Count a connection that was upgraded."""
        self._open[connection] = None
        self._emptied.clear()
        self.waiting += 1

    def welcomed(self, connection: "Connection") -> None:
        """Count a connect command that was accepted."""
        self.waiting -= 1
        self.connected += 1
        if connection.moved_at is not None:
            self._stay[connection.moved_at] += 1

    def closing(self, connection: "Connection", *, was_connected: bool) -> None:
        """Count a connection that has begun to close."""
        if was_connected:
            self.connected -= 1
            moved_at = connection.moved_at
            if moved_at is not None and moved_at in self._stay:
                self._stay[moved_at] -= 1
        else:
            self.waiting -= 1

    def gone(self, connection: "Connection") -> None:
        """Forget a connection whose socket is closed."""
        self._open.pop(connection, None)
        if not self._open:
            self._emptied.set()

    def cooling(self, now: float, cool_down_s: float) -> int:
        """How many of those connected may not be moved now."""
        return sum(count for moved_at, count in self._stay.items() if is_cooling(moved_at, now, cool_down_s))

    def sweep(self, now: float, cool_down_s: float) -> None:
        """Forget in which second those came that may be moved again, whatever the state of the node."""
        for moved_at in [at for at, count in self._stay.items() if not (count and is_cooling(at, now, cool_down_s))]:
            del self._stay[moved_at]

    async def emptied(self) -> None:
        """Return when no connection is open."""
        await self._emptied.wait()
