"""The open connections of a node in the order in which they came, and how many of them are in which state."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ringway.core.address import AddressShares
from ringway.core.move_candidates import is_cooling
from ringway.core.pending import Pending

if TYPE_CHECKING:
    from ringway.node.connection.connection import Connection


class Roster:
    """Every connection from its handshake to its end. A connection tells each change of its own state, once."""

    __slots__ = ("_emptied", "_open", "_stay", "_waiting", "connected", "shares")

    def __init__(self) -> None:
        self._open: dict[Connection, None] = {}  # keeps the order, and is no larger than a set
        self._stay: Counter[float] = Counter()  # how many of those connected were moved here in each second
        self._emptied = asyncio.Event()
        self._emptied.set()
        self._waiting: Pending[Connection] = Pending()  # upgraded, no connect command yet
        self.shares = AddressShares()  # what each address holds of all that are open
        self.connected = 0  # connected, and not being closed

    def __len__(self) -> int:
        return len(self._open)

    def __iter__(self) -> "Iterator[Connection]":
        """Over a copy: connections may close meanwhile."""
        return iter(list(self._open))

    @property
    def waiting(self) -> int:
        """How many were upgraded and have sent no connect command yet."""
        return len(self._waiting)

    def arrived(self, connection: "Connection", now: float) -> None:
        """Count a connection that was upgraded."""
        self._open[connection] = None
        self._emptied.clear()
        self._waiting.add(connection, connection.address, now)
        self.shares.add(connection.address)

    def victim(self, now: float, newcomer: str) -> "Connection | None":
        """Return a connection that has sent no connect command, to go for one of the address `newcomer`, if any is."""
        return self._waiting.victim(now, newcomer)

    def welcomed(self, connection: "Connection") -> None:
        """Count a connect command that was accepted."""
        self._waiting.remove(connection)
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
            self._waiting.remove(connection)

    def gone(self, connection: "Connection") -> None:
        """Forget a connection whose socket is closed."""
        if connection in self._open:
            del self._open[connection]
            self.shares.remove(connection.address)
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
