"""The upgrade that a client asks for, in a form in which nodes can be asked for it, once or again.

It lives as long as the WebSocket if that may go on at another node, so it is small: the head as bytes, without its
first line.
"""

import asyncio

from ringway.core.address import EXEMPT
from ringway.errors import UpgradeError
from ringway.gateway.placement.affinity import Affinity
from ringway.gateway.placement.query import Query
from ringway.gateway.proxy.rewrite import upgrade_headers
from ringway.protocol.forwarded import PROOF, forwarded_headers, is_trusted, read_client, told_of
from ringway.protocol.head import RequestHead
from ringway.protocol.proxy_header import peer_of
from ringway.protocol.upgrade import Headers, Upgrade, tokens_of, value_of


class UpgradeRequest:
    """One client's request for a WebSocket. `handshake` is what an answer to it is checked against.

    `key` is the affinity key by the policy that was in force when the client came.
    """

    __slots__ = (
        "_lines", "_offers", "address", "agreed", "asked", "handshake", "host", "key", "path", "query", "told",
    )  # fmt: skip

    def __init__(
        self,
        client: asyncio.Transport,
        head: RequestHead,
        handshake: Upgrade,
        affinity: Affinity,
        address: str = EXEMPT,
    ) -> None:
        self.address = address  # of the client, as it is counted (core.address)
        self.handshake = handshake
        self.path = head.path
        self.asked = head.query  # as it came
        self.query = Query(head.query)
        self.key = affinity.key(client, head, self.query)
        peer = peer_of(head.source, client.get_extra_info("peername"))
        who = read_client(peer.ip, head.headers, affinity.trusted, peer.scheme)
        trust_peer = is_trusted(peer.ip, affinity.trusted)
        self.host = value_of(head.headers, "host") or ""
        self.told = told_of([(name.lower(), value) for name, value in forwarded_headers(who)])
        self._lines, self._offers = upgrade_headers(head.headers, who, trust_peer=trust_peer)
        self.agreed: list[str] | None = None  # the subprotocol that the client was told, once it was; empty: none

    def encode(self, path: str, query: str, *, extensions: bool, host: str = "", proof: str = "") -> bytes:
        """Return the head that asks for `path` and `query`; the client's offer of extensions is in it or left out.

        `host` is written in place of the client's own; `proof` proves to a node what the head tells of its client.
        """
        target = f"{path}?{query}" if query else path
        first = f"GET {target} HTTP/1.1\r\nHost: {host or self.host}\r\n"
        if proof:
            first += f"{PROOF}: {proof}\r\n"
        return b"%b%b%b\r\n" % (first.encode("latin-1"), self._lines, self._offers if extensions else b"")

    def agree(self, headers: Headers) -> None:
        """Note what a node has agreed to; raise `UpgradeError` 502 if the client was told something else before."""
        chosen = tokens_of(headers, "sec-websocket-protocol")
        if self.agreed is None:
            self.agreed = chosen
        elif self.agreed != chosen:
            raise UpgradeError(502, "the node chose another subprotocol than was agreed with the client")
