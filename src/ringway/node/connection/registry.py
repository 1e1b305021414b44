"""Registry of the open connections of a node, in the order of their arrival, with counts of their states."""

import asyncio
from collections import Counter
from collections.abc import Hashable, Iterator
from math import floor
from typing import Generic, Protocol, TypeVar

from ringway.core.address import AddressShares
from ringway.core.credentials import Credentials
from ringway.core.move_candidates import is_cooling
from ringway.core.pending import Pending
from ringway.core.user_index import UserIndex


class Registered(Hashable, Protocol):
    """A connection, in the registry's view."""

    @property
    def address(self) -> str:
        """The address for which the connection counts (`core.address`)."""
        ...

    @property
    def moved_at(self) -> float | None:
        """The second in which it was moved here; None if it came by itself (`core.move_candidates`)."""
        ...

    @property
    def credentials(self) -> Credentials:
        """Who the client is; they do not change while it is connected, but for their times and info."""
        ...


Client = TypeVar("Client", bound=Registered)


class ConnectionRegistry(Generic[Client]):
    """Every connection from its handshake to its end. A connection reports each change of its own state, once."""

    __slots__ = ("_emptied", "_open", "_stay", "_users", "_waiting", "connected", "second", "shares")

    def __init__(self, now: float) -> None:
        self._open: dict[Client, None] = {}  # ordered, and no larger than a set
        self._stay: Counter[float] = Counter()  # by second, the connected clients that were moved here in it
        self._emptied = asyncio.Event()
        self._emptied.set()
        self._waiting: Pending[Client] = Pending()  # upgraded, no connect command yet
        self._users: UserIndex[Client] = UserIndex()  # connected, and not being closed
        self.shares = AddressShares()  # the open connections of each address
        self.connected = 0  # connected, and not being closed
        self.second = floor(now)  # of the clock, as of the last tick: one object for all connections that store it

    def __len__(self) -> int:
        return len(self._open)

    def __iter__(self) -> Iterator[Client]:
        """Iterate over a copy: connections may close during the iteration."""
        return iter(list(self._open))

    @property
    def waiting(self) -> int:
        """The number of upgraded connections without a connect command yet."""
        return len(self._waiting)

    @property
    def seconds_kept(self) -> tuple[float, ...]:
        """The seconds in which connections were moved here that may still be cooling."""
        return tuple(self._stay)

    def of_user(self, user: str) -> list[Client]:
        """Return the connected clients of `user`, the oldest first; none for '', the anonymous."""
        return self._users.of(user)

    def count_of_user(self, user: str) -> int:
        """Return the number of connected clients of `user`; 0 for '', the anonymous."""
        return self._users.count(user)

    @property
    def users(self) -> int:
        """The number of users that have connected clients; the anonymous are none."""
        return self._users.users

    def on_opened(self, connection: Client, now: float) -> None:
        """Count a connection that was upgraded."""
        self._open[connection] = None
        self._emptied.clear()
        self._waiting.add(connection, connection.address, now)
        self.shares.add(connection.address)

    def victim(self, now: float, newcomer: str) -> Client | None:
        """Return a connection without a connect command to close for a client of the address `newcomer`, or None."""
        return self._waiting.victim(now, newcomer)

    def on_connected(self, connection: Client) -> None:
        """Count a connect command that was accepted."""
        self._waiting.remove(connection)
        self.connected += 1
        self._users.add(connection.credentials.user, connection)
        if connection.moved_at is not None:
            self._stay[connection.moved_at] += 1

    def on_closing(self, connection: Client, *, was_connected: bool) -> None:
        """Count a connection that has begun to close."""
        if was_connected:
            self.connected -= 1
            self._users.remove(connection.credentials.user, connection)
            moved_at = connection.moved_at
            if moved_at is not None and moved_at in self._stay:
                self._stay[moved_at] -= 1
        else:
            self._waiting.remove(connection)

    def on_gone(self, connection: Client) -> None:
        """Forget a connection whose socket is closed."""
        if connection in self._open:
            del self._open[connection]
            self.shares.remove(connection.address)
        if not self._open:
            self._emptied.set()

    def cooling(self, now: float, cool_down_s: float) -> int:
        """The number of connected clients that may not be moved now."""
        return sum(count for moved_at, count in self._stay.items() if is_cooling(moved_at, now, cool_down_s))

    def tick(self, now: float, cool_down_s: float) -> None:
        """Let time pass; once a second, forget seconds whose connections may be moved again."""
        if floor(now) == self.second:
            return
        self.second = floor(now)
        for moved_at in [at for at, count in self._stay.items() if not (count and is_cooling(at, now, cool_down_s))]:
            del self._stay[moved_at]

    async def wait_until_empty(self) -> None:
        """Return when no connection is open."""
        await self._emptied.wait()
