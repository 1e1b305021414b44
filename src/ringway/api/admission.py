"""Admission to an API port: connections are bounded; connections without a complete request make room."""

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Protocol

from ringway.api.limits import PortLimits
from ringway.core.address import EXEMPT, address_of
from ringway.core.pending import Pending


class ApiPeer(Protocol):
    """A connection of an API port."""

    @property
    def transport(self) -> asyncio.Transport:
        """The transport of the connection."""
        ...

    def stop(self) -> None:
        """End the connection after the answer under way."""
        ...


class ApiConnections:
    """The connections of one API port: connections that owe a request, and connections that are being answered."""

    def __init__(self, limits: PortLimits, clock: Callable[[], float] = time.monotonic) -> None:
        self.limits = limits
        self._clock = clock
        self._owing: Pending[ApiPeer] = Pending()
        self._answered: set[ApiPeer] = set()

    def __len__(self) -> int:
        return len(self._owing) + len(self._answered)

    def __iter__(self) -> Iterator[ApiPeer]:
        """Iterate over a copy, because connections may end meanwhile."""
        return iter([*self._owing, *self._answered])

    def admit(self, connection: ApiPeer) -> bool:
        """Count a new connection. Return False if there is no room because all connections are being answered."""
        if len(self) >= self.limits.connections_max:
            victim = self._owing.victim(self._clock(), _address(connection)) or self._owing.oldest()
            if victim is None:
                return False
            self.on_lost(victim)
            victim.transport.abort()
        self.expect_request(connection)
        return True

    def expect_request(self, connection: ApiPeer) -> None:
        """Mark a connection as owing a request from now on."""
        self._answered.discard(connection)
        self._owing.remove(connection)
        self._owing.add(connection, _address(connection), self._clock())

    def on_request(self, connection: ApiPeer) -> None:
        """Mark a connection as being answered: a whole request has arrived."""
        if self._owing.remove(connection) is not None:
            self._answered.add(connection)

    def on_lost(self, connection: ApiPeer) -> None:
        """Forget a connection. Idempotent."""
        self._owing.remove(connection)
        self._answered.discard(connection)


def _address(connection: ApiPeer) -> str:
    peer = connection.transport.get_extra_info("peername")
    return address_of(peer[0]) if isinstance(peer, tuple) else EXEMPT
