"""Request of an exchange: its route and the key of its client, and its head as it is sent to a backend."""

import asyncio
from typing import NamedTuple

from ringway.core.placement.key import KeyReader
from ringway.core.route import GroupRoute
from ringway.errors import UpgradeError
from ringway.gateway.placement.affinity import Affinity
from ringway.gateway.placement.query import Query
from ringway.gateway.placement.routing import Routing
from ringway.gateway.placement.token_check import show_user
from ringway.gateway.proxy.rewrite import request_lines
from ringway.protocol.backend import Backend
from ringway.protocol.forwarded import ForwardedClient, is_trusted, read_client
from ringway.protocol.head import RequestHead
from ringway.protocol.message_head import CHUNKED
from ringway.protocol.proxy_header import peer_of
from ringway.protocol.server_address import ServerAddress
from ringway.protocol.upgrade import value_of

NOT_CARRIED = frozenset({"CONNECT", "TRACE"})
"""Methods that make no sense behind a gateway: a tunnel to elsewhere, and an echo of all headers."""


class RoutedRequest(NamedTuple):
    """A request on a route with `http=true`, and what is known about its client."""

    route: GroupRoute
    keys: KeyReader
    client: ForwardedClient
    trust_peer: bool  # headers of a trusted proxy pass


def find_request(
    transport: asyncio.BaseTransport, head: RequestHead, affinity: Affinity, routing: Routing
) -> RoutedRequest | None:
    """Return the route of a request; None if the route carries WebSockets alone. Raise `UpgradeError` 404 without a
    route."""
    peer = peer_of(head.source, transport.get_extra_info("peername"))
    client = read_client(peer.ip, head.headers, affinity.trusted, peer.scheme)
    route, keys = routing.find_with_keys(client.host, head.path)
    return RoutedRequest(route, keys, client, is_trusted(peer.ip, affinity.trusted)) if route.http else None


def check_carried(head: RequestHead) -> bool:
    """Return True if the client waits for 100 before it sends the body; raise `UpgradeError` if the request cannot be
    carried."""
    if head.method in NOT_CARRIED:
        raise UpgradeError(405, f"{head.method} is not carried to backends")
    expected = value_of(head.headers, "expect")
    if expected is None or head.version == "1.0":
        return False
    if expected.lower() != "100-continue":
        raise UpgradeError(417, "no expectation is known here but 100-continue")
    return True


def key_of(
    transport: asyncio.BaseTransport, head: RequestHead, keys: KeyReader, affinity: Affinity, user: str | None
) -> bytes | None:
    """Return the affinity key of a request; None without one."""
    query = Query(head.query) if head.query else None
    return affinity.key(transport, head, query, keys, user)


def without_header(head: RequestHead, name: str) -> RequestHead:
    """Return `head` without the header `name`, in lower case."""
    headers = [each for each in head.headers if each[0] != name]
    return RequestHead(head.method, head.path, head.query, head.version, headers, head.keep_alive, head.source)


def encode_fields(
    head: RequestHead, routed: RoutedRequest, length: int, user_header: str, user: str, *, expects: bool
) -> str:
    """Return the lines of the request's head after its Host, with the empty line: they are the same for each backend.

    `user` is the user of its verified token; empty: none was verified.
    """
    lines = request_lines(
        head.headers, routed.client, trust_peer=routed.trust_peer, user_header=user_header,
        user=show_user(user) if user else "", subject=head.source.subject if head.source is not None else "",
    )  # fmt: skip
    if length == CHUNKED:
        lines += "Transfer-Encoding: chunked\r\n"
    elif length or value_of(head.headers, "content-length") is not None:
        lines += f"Content-Length: {length}\r\n"
    if expects:
        lines += "Expect: 100-continue\r\n"
    return lines + "\r\n"


def encode_request(head: RequestHead, address: ServerAddress, backend: Backend | None, fields: str) -> bytes:
    """Return the head of the request for a backend at `address`."""
    path = address.prefix + head.path
    target = f"{path}?{head.query}" if head.query else path
    host = (backend.host if backend is not None else "") or value_of(head.headers, "host") or address.authority
    return f"{head.method} {target} HTTP/1.1\r\nHost: {host}\r\n{fields}".encode("latin-1")
