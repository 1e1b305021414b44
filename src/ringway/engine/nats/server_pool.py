"""Pool of the servers for a connection: those of the URL, and those that the cluster advertises. Pure.

The order is drawn anew after each loss, so that the members of a lost server spread over the remaining servers. A
server that announced its stop, or was lost without an announcement, comes last.
"""

import random
from collections.abc import Iterable
from typing import NamedTuple

from ringway.protocol.address import BadAddress, is_literal, read_host_port

ADVERTISED_MAX = 256
"""Advertised servers that are remembered; a cluster has some tens at most."""

AGAIN_S = 0.2
"""The least pause between attempts at the same server."""


class NatsAddress(NamedTuple):
    """The address of a server. Its certificate must be for `tls_name`, or for `host` if `tls_name` is empty."""

    host: str
    port: int
    tls_name: str = ""


class ServerPool:
    """Servers in the cyclic order of the attempts."""

    def __init__(self, given: Iterable[tuple[str, int]], usual_port: int, rng: random.Random) -> None:
        self._given = [NatsAddress(*each) for each in given]
        self._usual_port = usual_port
        self._rng = rng
        self._advertised: list[NatsAddress] = []
        self._order: list[NatsAddress] = list(self._given)
        self._tried_at: dict[NatsAddress, float] = {}
        self._avoided: NatsAddress | None = None

    @property
    def order(self) -> tuple[NatsAddress, ...]:
        """The servers, next one first."""
        return tuple(self._order)

    def learn(self, advertised: Iterable[str], current: NatsAddress) -> None:
        """Remember the servers that the `current` one advertises, and forget those that it no longer does.

        The certificate of an advertised IP address is checked against the name of the current server.
        """
        name = current.tls_name or ("" if is_literal(current.host) else current.host)
        places = {(each.host, each.port) for each in self._given}
        found: list[NatsAddress] = []
        for text in advertised:
            try:
                host, port = read_host_port(text, self._usual_port)
            except BadAddress:
                continue  # a server may be configured to advertise nonsense
            if (host, port) not in places and len(found) < ADVERTISED_MAX:
                places.add((host, port))
                found.append(NatsAddress(host, port, name if is_literal(host) else ""))
        gone = set(self._advertised) - set(found) - {current}
        new = [each for each in found if each not in self._order]
        self._advertised = [each for each in self._order if each in self._advertised and each not in gone] + new
        self._rng.shuffle(new)
        self._order = [each for each in self._order if each not in gone] + new
        for each in gone:
            self._tried_at.pop(each, None)

    def avoid(self, server: NatsAddress) -> None:
        """Put `server` last in the next order."""
        self._avoided = server

    def draw(self) -> None:
        """Draw the order anew."""
        self._rng.shuffle(self._order)
        if self._avoided in self._order:
            self._order.remove(self._avoided)
            self._order.append(self._avoided)
        self._avoided = None

    def next_server(self, now: float) -> tuple[NatsAddress, float]:
        """Return the server whose turn it is, and the seconds to wait before the attempt."""
        server = self._order.pop(0)
        self._order.append(server)
        wait_s = max(0.0, self._tried_at.get(server, float("-inf")) + AGAIN_S - now)
        self._tried_at[server] = now + wait_s
        return server, wait_s
