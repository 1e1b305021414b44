"""The open connections of a node, and how many of them are in which state."""

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ringway.node.connection import Connection


class Roster:
    """Every connection from its handshake to its end. A connection tells each change of its own state, once."""

    __slots__ = ("_emptied", "_open", "connected", "waiting")

    def __init__(self) -> None:
        self._open: set[Connection] = set()
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
        self._open.add(connection)
        self._emptied.clear()
        self.waiting += 1

    def welcomed(self) -> None:
        """Count a connect command that was accepted."""
        self.waiting -= 1
        self.connected += 1

    def closing(self, *, was_connected: bool) -> None:
        """Count a connection that has begun to close."""
        if was_connected:
            self.connected -= 1
        else:
            self.waiting -= 1

    def gone(self, connection: "Connection") -> None:
        """Forget a connection whose socket is closed."""
        self._open.discard(connection)
        if not self._open:
            self._emptied.set()

    async def emptied(self) -> None:
        """Return when no connection is open."""
        await self._emptied.wait()
