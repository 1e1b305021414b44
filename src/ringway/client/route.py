"""Where the next connection goes: one of the gateways, and by it a node; or the node that a move names."""

import enum
import ssl as tls
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ringway.client.discovery import discover
from ringway.client.url import check_url, discovery_url, has_query, is_http, socket_url, with_query
from ringway.errors import ConfigError
from ringway.protocol.move import Move

if TYPE_CHECKING:
    from random import Random


class Via(enum.StrEnum):
    """How a client reaches its node."""

    DIRECT = "direct"  # ask GET /gateway, connect to the node it names
    GATEWAY = "gateway"  # connect to the gateway, which carries the connection to a node


class Route:
    """The gateways of one client. `path` stands in for the path of a WebSocket URL that has none."""

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

    def shuffled(self, rng: "Random") -> list[str]:
        """The gateways in random order: the order in which one attempt tries them."""
        return rng.sample(self._gateways, len(self._gateways))

    async def resolve(self, gateway: str, move: Move | None, timeout_s: float) -> tuple[str, ...]:
        """Return the WebSocket URLs to try, best first, for a connection by way of `gateway`.

        Errors are those of `discover`; a gateway that is connected to as it is costs no question.
        """
        moved = {"node": move.node if move else None, "ticket": move.ticket if move else None}
        if self._via is Via.DIRECT or (self._via is None and is_http(gateway)):
            question = discovery_url(gateway, key=self._key, **moved)
            placement = await discover(question, timeout_s, self._ssl)
            return tuple(url if has_query(url, "key") else self._keyed(url) for url in placement.urls())
        url = self._keyed(socket_url(gateway, self._path))
        return (with_query(url, **moved) if move else url,)

    def _keyed(self, url: str) -> str:
        return url if self._key is None else with_query(url, key=self._key)
