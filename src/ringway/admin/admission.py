"""Admission to the admin port: connections are bounded, and those that owe a request make room for new ones."""

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Protocol

from ringway.core.address import EXEMPT, address_of
from ringway.core.pending import Pending


class AdminPeer(Protocol):
    """A connection of the admin port."""

    @property
    def transport(self) -> asyncio.Transport:
        """The transport of the connection."""
        ...

    def stop(self) -> None:
        """End the connection after the answer under way."""
        ...


class AdminConnections:
    """The connections of one admin port: those that owe a request, and those that are being answered."""

    def __init__(
        self, connections_max: int, request_deadline_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.request_deadline_s = request_deadline_s
        self._connections_max = connections_max
        self._clock = clock
        self._owing: Pending[AdminPeer] = Pending()
        self._answered: set[AdminPeer] = set()

    def __len__(self) -> int:
        return len(self._owing) + len(self._answered)

    def __iter__(self) -> Iterator[AdminPeer]:
        """Over a copy: connections may go meanwhile."""
        return iter([*self._owing, *self._answered])

    def admit(self, connection: AdminPeer) -> bool:
        """Count a new connection; return False if all others are being answered, so that there is no room."""
        if len(self) >= self._connections_max:
            victim = self._owing.victim(self._clock(), _address(connection)) or self._owing.oldest()
            if victim is None:
                return False
            self.on_lost(victim)
            victim.transport.abort()
        self.expect_request(connection)
        return True

    def expect_request(self, connection: AdminPeer) -> None:
        """Count a connection as one that owes a request from now on."""
        self._answered.discard(connection)
        self._owing.remove(connection)
        self._owing.add(connection, _address(connection), self._clock())

    def on_request(self, connection: AdminPeer) -> None:
        """Count a connection as one that is being answered: a whole request has come."""
        if self._owing.remove(connection) is not None:
            self._answered.add(connection)

    def on_lost(self, connection: AdminPeer) -> None:
        """Forget a connection. Idempotent."""
        self._owing.remove(connection)
        self._answered.discard(connection)


def _address(connection: AdminPeer) -> str:
    peer = connection.transport.get_extra_info("peername")
    return address_of(peer[0]) if isinstance(peer, tuple) else EXEMPT
