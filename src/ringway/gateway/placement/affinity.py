"""Affinity keys of clients, by the policy in force (PROTOCOL.md P-3.3)."""

import asyncio
from collections.abc import Collection

from ringway.core.placement.key_source import KeySource, query_value
from ringway.core.steering import Steering
from ringway.gateway.placement.query import Query
from ringway.protocol.forwarded import Network, read_client
from ringway.protocol.head import RequestHead
from ringway.protocol.proxy_header import peer_of

DISCOVERY_PATH = "/gateway"


class Affinity:
    """Reads keys from requests. Addresses and hosts are those that `trusted` proxies name, or the peer's own."""

    def __init__(self, steering: Steering, trusted: Collection[Network]) -> None:
        self.trusted = trusted
        self._steering = steering

    def key(self, client: asyncio.BaseTransport, head: RequestHead, query: Query | None) -> bytes | None:
        """Return the key of a request of `client`, in the form that nodes may know; None if it has none.

        `query` is the head's query, read; None if that is empty.
        """
        keys = self._steering.keys
        if keys.plain:
            return query.key if query is not None else None
        return keys.read(self._asked(client, head))

    def _asked(self, client: asyncio.BaseTransport, head: RequestHead) -> KeySource:
        peer = peer_of(head.source, client.get_extra_info("peername"))
        who = read_client(peer.ip, head.headers, self.trusted, peer.scheme)
        path = head.path
        if path == DISCOVERY_PATH:  # the request is about the path on which the WebSocket will be opened
            path = query_value(head.query, "path").decode("latin-1")
        return KeySource(
            who.ip, peer.port if len(who.chain) == 1 else who.port, who.host, path, head.query, head.headers
        )
