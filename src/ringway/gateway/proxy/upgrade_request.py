"""Upgrade request of a client, in a form that can be sent to nodes, also repeatedly.

It lives as long as a WebSocket that may go on at a different node, so it is small: `pack` makes a few hundred bytes of
it.
"""

import asyncio
import zlib
from collections.abc import Callable, Sequence

import msgspec

from ringway.core.address import EXEMPT
from ringway.core.placement.key import KeyReader
from ringway.core.route import GroupRoute
from ringway.errors import UpgradeError
from ringway.gateway.placement.affinity import Affinity
from ringway.gateway.placement.query import Query
from ringway.gateway.placement.token_check import show_user
from ringway.gateway.proxy.rewrite import USER_HEADER, upgrade_headers
from ringway.protocol.backend import OnMove
from ringway.protocol.deflate import agreed_extensions, holds_context, offers_without_context
from ringway.protocol.forwarded import PROOF, forwarded_headers, is_trusted, read_client, told_of
from ringway.protocol.head import RequestHead
from ringway.protocol.proxy_header import peer_of
from ringway.protocol.upgrade import Headers, Upgrade, tokens_of, value_of

FindRoute = Callable[[str, str], tuple[GroupRoute, KeyReader]]
"""Returns the route from a host and a path, and the reader of its clients' keys; raises `UpgradeError` 404."""

_COMMON = (
    b"application/json, text/plain, */*authorization: Bearer eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."
    b"Android; Mobile Safari/537.36 Edg/iPhone; CPU iPhone OS like Mac OS X) Version/Gecko/20100101 Firefox/"
    b"X11; Linux x86_64; rv:via: 1.1 cf-ray: session=; csrftoken=; _ga=GA1.1.; _gid="
    b"https://app.example.com\r\nhttp://localhost:pragma: no-cache\r\ncache-control: no-cache\r\n"
    b"cookie: accept-language: en-US,en;q=0.9\r\naccept-encoding: gzip, deflate, br, zstd\r\n"
    b"sec-websocket-protocol: user-agent: Python/3 websockets/"
    b"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) (Windows NT 10.0; Win64; x64) "
    b"AppleWebKit/537.36 (KHTML, like Gecko) Chrome/Safari/537.36\r\norigin: "
    b"sec-websocket-extensions: permessage-deflate; client_max_window_bits; server_no_context_takeover"
    b"server_max_window_bits=12\r\nsec-websocket-version: 13\r\nsec-websocket-key: "
    b"X-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Host: X-Forwarded-Proto: https\r\nX-Forwarded-Proto: http\r\n"
    b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
)
"""Text that requests have in common, the most frequent last (RFC 1950, 2.2, preset dictionary)."""

_WINDOW_BITS = -11
"""Raw deflate with a window of 2 KiB: it holds `_COMMON`, and is made in a few microseconds."""


class UpgradeRequest(msgspec.Struct, array_like=True, kw_only=True):
    """One client's request for a WebSocket. Answers are checked against `handshake`."""

    handshake: Upgrade
    path: str
    asked: str  # the client's query, unchanged
    key: bytes | None  # the affinity key, by the policy that was in force when the client came
    route: GroupRoute  # the route to the group that carries it
    address: str  # the address for which the client counts (core.address)
    host: str
    told: bytes  # the statements of the head about the client, for a proof
    lines: bytes
    offers: bytes  # the lines that offer extensions, as they came
    agreed: tuple[list[str], list[str]] | None = None  # subprotocol and extensions of the client; None: not yet

    session: str = ""  # the id of the plain session that it belongs to, at its node

    @property
    def query(self) -> Query:
        """The client's query, read."""
        return Query(self.asked)

    @property
    def holds_context(self) -> bool:
        """True if a message on the open WebSocket may refer to earlier messages, so that no other server can read
        it."""
        return self.agreed is not None and holds_context(self.agreed[1])

    def extensions_for(self, on_move: OnMove) -> tuple[str, ...]:
        """Return the extensions to offer to a node at which the WebSocket will be moved by `on_move`.

        If it may be opened again, no message may refer to an earlier message by them; the next node gets the same offer
        as the first. A channel node has no extensions.
        """
        offered = self.handshake.extensions
        if on_move is OnMove.FOLLOW:
            return ()
        if self.agreed is not None:
            return offers_without_context(offered) if self.agreed[1] else ()
        return offers_without_context(offered) if on_move is OnMove.REOPEN else offered

    def encode(
        self, path: str, query: str, *, extensions: Sequence[str], host: str = "", proof: str = "", moved: str = ""
    ) -> bytes:
        """Return the head of a request for `path` and `query` that offers `extensions`.

        `host` replaces the client's own; `proof` proves to a node the statements of the head about its client; `moved`
        tells a backend that the WebSocket was open at a different backend before (`protocol.move`).
        """
        target = f"{path}?{query}" if query else path
        first = f"GET {target} HTTP/1.1\r\nHost: {host or self.host}\r\n"
        if proof:
            first += f"{PROOF}: {proof}\r\n"
        if moved:
            first += f"Ringway-Moved: {moved}\r\n"
        offers = self.offers
        if extensions != self.handshake.extensions:
            offers = f"sec-websocket-extensions: {', '.join(extensions)}\r\n".encode("latin-1") if extensions else b""
        return b"%b%b%b\r\n" % (first.encode("latin-1"), self.lines, offers)

    def agree(self, headers: Headers) -> None:
        """Record a node's subprotocol and extensions; raise `UpgradeError` 502 if the client was told different ones
        before."""
        chosen = tokens_of(headers, "sec-websocket-protocol"), agreed_extensions(headers)
        if self.agreed is None:
            self.agreed = chosen
        elif self.agreed != chosen:
            raise UpgradeError(
                502, "the node chose another subprotocol, or other extensions, than was agreed with the client"
            )

    def pack(self) -> bytes:
        """Return it in few bytes, for `unpack_request`."""
        packer = zlib.compressobj(level=6, wbits=_WINDOW_BITS, memLevel=3, zdict=_COMMON)
        return packer.compress(_encoder.encode(self)) + packer.flush()


def read_request(
    client: asyncio.Transport,
    head: RequestHead,
    handshake: Upgrade,
    affinity: Affinity,
    find_route: FindRoute,
    address: str = EXEMPT,
    *,
    user_header: str = USER_HEADER,
    user: str | None = None,
) -> UpgradeRequest:
    """Return the request in `head` of `client`, which counts for `address`; `handshake` is the checked part of it.

    `user` is the user of its verified token, whom the node is told by `user_header`; None: none was verified. Raise
    `UpgradeError` 404 if no route leads from it to a group.
    """
    peer = peer_of(head.source, client.get_extra_info("peername"))
    who = read_client(peer.ip, head.headers, affinity.trusted, peer.scheme)
    route, keys = find_route(who.host, head.path)
    lines, offers = upgrade_headers(
        head.headers,
        who,
        trust_peer=is_trusted(peer.ip, affinity.trusted),
        user_header=user_header,
        user=show_user(user) if user else "",
        subject=head.source.subject if head.source is not None else "",
    )
    return UpgradeRequest(
        handshake=handshake,
        path=head.path,
        asked=head.query,
        key=affinity.key(client, head, Query(head.query), keys, user),
        route=route,
        address=address,
        host=value_of(head.headers, "host") or "",
        told=told_of([(name.lower(), value) for name, value in forwarded_headers(who)]),
        lines=lines,
        offers=offers,
    )


def unpack_request(packed: bytes) -> UpgradeRequest:
    """Return the request that `pack` has packed."""
    return _decoder.decode(zlib.decompressobj(wbits=_WINDOW_BITS, zdict=_COMMON).decompress(packed))


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(UpgradeRequest)
