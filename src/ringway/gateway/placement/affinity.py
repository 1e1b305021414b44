"""Affinity keys of clients, by the policy in force (PROTOCOL.md P-3.3)."""

import asyncio
from collections.abc import Collection

from ringway.core.placement.key import KeyReader
from ringway.core.placement.key_source import KeySource, query_value
from ringway.gateway.placement.query import Query
from ringway.protocol.address import authority, split_host
from ringway.protocol.forwarded import Network, read_client
from ringway.protocol.head import RequestHead
from ringway.protocol.proxy_header import peer_of
from ringway.protocol.upgrade import value_of

DISCOVERY_PATH = "/gateway"


def asked_path(head: RequestHead) -> str:
    """Return the path on which the client of a discovery request will open its WebSocket; empty if it names no path."""
    return query_value(head.query, "path").decode("latin-1")


class Affinity:
    """Reads keys from requests. Addresses and hosts come from `trusted` proxies, or from the peer.

    `discovery_path` is the path of requests that ask where to connect.
    """

    def __init__(self, trusted: Collection[Network], discovery_path: str = DISCOVERY_PATH) -> None:
        self.trusted = trusted
        self._discovery_path = discovery_path

    def key(
        self,
        client: asyncio.BaseTransport,
        head: RequestHead,
        query: Query | None,
        keys: KeyReader,
        user: str | None = None,
    ) -> bytes | None:
        """Return the key of a request of `client`, read by `keys`, in the form for nodes; None without a key.

        `query` is the head's query, read; None if that is empty. `user` is the verified one; None: none is verified.
        """
        if keys.plain:
            return query.key if query is not None else None
        return keys.read(self._asked(client, head, user))

    def base_url(self, client: asyncio.BaseTransport, head: RequestHead) -> str:
        """Return the URL by which `client` has reached this gateway, for WebSockets, without a path."""
        peer = peer_of(head.source, client.get_extra_info("peername"))
        who = read_client(peer.ip, head.headers, self.trusted, peer.scheme)
        host = who.host
        if split_host(host) is None:  # HTTP/1.0 needs no Host
            own = client.get_extra_info("sockname")
            host = authority(own[0], own[1], 443 if who.scheme == "https" else 80)
        return f"{'wss' if who.scheme == 'https' else 'ws'}://{host}"

    def host(self, client: asyncio.BaseTransport, head: RequestHead) -> str:
        """Return the host that a request of `client` names, or that a trusted proxy names for it."""
        if not self.trusted:
            return value_of(head.headers, "host") or ""
        peer = peer_of(head.source, client.get_extra_info("peername"))
        return read_client(peer.ip, head.headers, self.trusted, peer.scheme).host

    def _asked(self, client: asyncio.BaseTransport, head: RequestHead, user: str | None) -> KeySource:
        peer = peer_of(head.source, client.get_extra_info("peername"))
        who = read_client(peer.ip, head.headers, self.trusted, peer.scheme)
        path = head.path
        if path == self._discovery_path:
            path = asked_path(head)
        return KeySource(
            who.ip, peer.port if len(who.chain) == 1 else who.port, who.host, path, head.query, head.headers, user
        )
