"""Route to a node: one of the gateways, and the node that it names; or the node that a move names."""

import enum
import ssl as tls
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from ringway.client.discovery import GatewayAnswer, discover
from ringway.client.url import check_url, discovery_url, has_query, is_http, socket_url, with_query
from ringway.errors import ConfigError, UpgradeError
from ringway.protocol.move import Move

if TYPE_CHECKING:
    from random import Random

CHANNELS_PATH = "/connection/websocket"
"""The path at which nodes serve channels."""

WAIT_S_MAX = 60.0
"""The longest wait for a slot."""

WINDOW_S_MAX = 600.0
"""The longest time over which a reconnect is spread."""

FOLLOWS = {"moves": "1"}
"""The query by which a client tells a node that it follows moves with its session (PROTOCOL.md P-7.7)."""


class Via(enum.StrEnum):
    """The way from a client to its node."""

    DIRECT = "direct"  # ask GET /gateway, connect to the node it names
    GATEWAY = "gateway"  # connect to the gateway, which carries the connection to a node


class Way(NamedTuple):
    """WebSocket URLs to try, best first, after `wait_s`. `follows`: a node is there, which moves its clients."""

    urls: tuple[str, ...]
    wait_s: float
    follows: bool


class Route:
    """The gateways of one client. `path` is the path of a WebSocket URL that has no path.

    `window_s` is the time over which to spread the reconnect when the present connection is lost.
    """

    def __init__(
        self, url: str | Sequence[str], *, via: str | None, key: str | None, path: str, ssl: tls.SSLContext | None
    ) -> None:
        self._gateways = [check_url(one) for one in ([url] if isinstance(url, str) else url)]
        if not self._gateways:
            raise ConfigError("the list of URLs is empty; name at least one gateway")
        try:
            self._via = None if via is None else Via(via)
        except ValueError:
            raise ConfigError(f"via is {via!r}; it must be 'direct' or 'gateway'") from None
        self._key = key
        self._path = path
        self._ssl = ssl
        self._last = self._gateways[0]
        self.window_s = 0.0

    def shuffled(self, rng: "Random") -> list[str]:
        """The gateways in random order, for one attempt. A single gateway needs no draw."""
        if len(self._gateways) == 1:
            return self._gateways
        return sorted(self._gateways, key=lambda _: rng.random())

    async def resolve(self, gateway: str, move: Move | None, timeout_s: float) -> Way:
        """Return the way for a connection through `gateway`, to the target of `move` if that is still available.

        Errors are those of `discover`; a gateway with a WebSocket URL needs no request.
        """
        if self._is_asked(gateway):
            placement = await self._ask(gateway, move, timeout_s)
            urls = tuple(url if has_query(url, "key") else self._keyed(url) for url in placement.urls())
            if placement.ticket:
                urls = tuple(with_query(url, **FOLLOWS) for url in urls)
            return Way(urls, min(placement.wait_ms / 1000, WAIT_S_MAX), follows=bool(placement.ticket))
        url = self._keyed(socket_url(gateway, self._path))
        return Way((with_query(url, **_query(move)) if move else url,), 0.0, follows=False)

    async def resume(self, move: Move, rng: "Random", timeout_s: float) -> Way:
        """Return the way to the node where the session of a followed move goes on.

        The gateway that led to the present node is asked first, then the other gateways if it is not reached. Raise
        `OSError` or `UpgradeError` if no gateway leads there.
        """
        failure: Exception = ConnectionError("no gateway was asked")
        for gateway in [self._last, *(other for other in self.shuffled(rng) if other != self._last)]:
            if not self._is_asked(gateway):
                continue
            try:
                placement = await self._ask(gateway, move, timeout_s)
            except (OSError, UpgradeError) as error:
                failure = error
                continue
            if (placement.node, placement.ticket) != (move.node, move.ticket):
                raise UpgradeError(410, f"the gateway does not lead to {move.node}: the ticket is not good any more")
            url = placement.url if has_query(placement.url, "key") else self._keyed(placement.url)
            wait_s = min(placement.wait_ms / 1000, WAIT_S_MAX)
            return Way((with_query(url, resume="1", **FOLLOWS),), wait_s, follows=True)
        raise failure

    def _is_asked(self, gateway: str) -> bool:
        return self._via is Via.DIRECT or (self._via is None and is_http(gateway))

    async def _ask(self, gateway: str, move: Move | None, timeout_s: float) -> GatewayAnswer:
        question = discovery_url(gateway, key=self._key, **_query(move))
        placement = await discover(question, timeout_s, self._ssl)
        self._last = gateway
        self.window_s = min(max(0.0, placement.reconnect_window_ms / 1000), WINDOW_S_MAX)
        return placement

    def _keyed(self, url: str) -> str:
        return url if self._key is None else with_query(url, key=self._key)


def _query(move: Move | None) -> dict[str, str | None]:
    """Return the query items of a move; None leaves an item out."""
    return {"node": move.node if move else None, "ticket": move.ticket if move else None}
