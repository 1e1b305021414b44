"""Discovery, `GET /gateway`: the node to connect to, and a ticket that reserves a place there (PROTOCOL.md P-3).

    {"url": "ws://10.0.0.7:9101/connection/websocket?ticket=T", "ticket": "T", "expires_in": 13, "wait_ms": 2140,
     "reconnect_window_ms": 8000, "node": "n7", "alternates": [{"node": "n2", "url": "ws://10.0.0.2:9101/..."}]}

A client can connect to `url` unchanged, after `wait_ms` (absent: at once). `reconnect_window_ms` is for later, when the
connection is lost without a move. Alternates carry no ticket: a node admits clients without a ticket, and no place is
held there. All URLs carry the client's affinity key, by which a node later checks the owner of the client.

For a backend, `url` leads to the gateway itself, since only connections that a gateway carries are counted and moved.
No place is held until the client comes there: `ticket` is empty, and `expires_in` is 0.

This path is hot in a reconnect storm, so the parts that depend on a node alone are encoded once and stored.
"""

import asyncio
from collections.abc import Collection
from math import ceil
from urllib.parse import quote

import msgspec

from ringway.core.load import NodeLoad
from ringway.core.route import GroupRoute
from ringway.errors import NoNode, UpgradeError
from ringway.gateway.placement.affinity import Affinity, asked_path
from ringway.gateway.placement.placer import TICKET_TTL_S, Placer
from ringway.gateway.placement.placers import Placers
from ringway.gateway.placement.query import Query, quote_key
from ringway.gateway.placement.routing import Routing
from ringway.gateway.placement.token_check import TokenCheck
from ringway.protocol.head import RequestHead
from ringway.protocol.origin import read_origins
from ringway.protocol.response import come_again, error_response, no_node
from ringway.protocol.upgrade import value_of
from ringway.types import NodeName

_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nCache-Control: no-store\r\n%b%bContent-Length: %d\r\n\r\n"
)
_NO_BODY = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nCache-Control: no-store\r\n%b%b\r\n"
_CLOSE = b"Connection: close\r\n"
_encode = msgspec.json.encode

_PATH_CHARACTERS = "/:@!$&'()*+,;=~"


class _EncodedNode:
    """The parts of answers that depend on one node, encoded."""

    __slots__ = ("alternate", "name", "public_url", "url", "url_open")

    def __init__(self, node: NodeLoad) -> None:
        report = node.report
        self.url = report.url if report else ""
        self.public_url = report.public_url if report else ""
        shown = self.public_url or self.url
        self.name = _encode(node.name)
        self.url_open = _encode(shown + ("&" if "?" in shown else "?"))[:-1]
        self.alternate = b'{"node":%b,"url":%b}' % (self.name, _encode(shown))


class Discovery:
    """Answers discovery requests. Pages of `allowed_origins` may read the answers.

    `public_url` is the gateway's own, for clients of backends; empty: the URL by which each client has asked.
    """

    def __init__(
        self,
        placers: Placers,
        routing: Routing,
        affinity: Affinity,
        allowed_origins: Collection[str],
        public_url: str = "",
        *,
        tokens: TokenCheck,
    ) -> None:
        self._base = public_url.rstrip("/").replace("http", "ws", 1)
        self._placers = placers
        self._routing = routing
        self._affinity = affinity
        self._tokens = tokens
        self._origins = read_origins(allowed_origins)
        self._known: dict[NodeName, _EncodedNode] = {}
        self._advised_ms = 0
        self._advised = b""

    def answer(self, client: asyncio.BaseTransport, head: RequestHead) -> tuple[int, bytes]:
        """Return status and response to a GET of `/gateway` that came from `client`.

        Raise `UpgradeError` 404 if no route leads from the path that it asks for to a group.
        """
        route = self._route(client, head)
        placer = self._placers[route.group]
        cors = self._cors(head) if self._origins else b""
        close = not head.keep_alive
        limits = placer.limits
        address = limits.client_address(client, head)
        wait_s = limits.count_ask(address)
        if wait_s:
            error = limits.too_often(address, wait_s)
            return 429, _with(cors, come_again(429, error, wait_s, placer.queue.window_ms, close=close))
        user, token = None, ""
        if route.auth:
            try:
                user, token = self._tokens.admit_now(client, head)
            except UpgradeError as error:
                return error.status, _with(cors, error_response(error, close=close))
        if head.method == "HEAD":  # it requests no place
            return self._check(placer, cors, close=close)
        try:
            body = self._body(placer, client, head, address, user, token)
        except NoNode as error:
            return 503, _with(cors, no_node(error, placer.pause_s(error), placer.queue.window_ms, close=close))
        return 200, _HEAD % (cors, _CLOSE if close else b"", len(body)) + body

    def _check(self, placer: Placer, cors: bytes, *, close: bool) -> tuple[int, bytes]:
        """Return the answer to HEAD: 200 if a node accepts connections, without a choice."""
        if placer.view.takers():
            return 200, _NO_BODY % (cors, _CLOSE if close else b"")
        error = NoNode("no node takes connections")
        return 503, _with(cors, no_node(error, placer.pause_s(error), close=close))

    def _route(self, client: asyncio.BaseTransport, head: RequestHead) -> GroupRoute:
        """Return the route of the WebSocket that the client wants to open at `path`."""
        only = self._routing.only
        if only is not None:
            return only
        return self._routing.find_asked(self._affinity.host(client, head), asked_path(head))

    def _body(
        self,
        placer: Placer,
        client: asyncio.BaseTransport,
        head: RequestHead,
        address: str,
        user: str | None,
        token: str,
    ) -> bytes:
        """Return the body for a client with the verified `user` (None: not asked for) and the `token` in its query."""
        query = Query(head.query) if head.query else None
        key = self._affinity.key(client, head, query, placer.keys, user)
        pins = query is not None and "pin=1" in query.rest.split("&")
        if query is not None and query.node and query.ticket:
            node = placer.moved(query.node, query.ticket)
            if node is not None:  # its place is held by the donor of the move
                return self._format(placer, node, query.ticket, _told(key, pins=pins), b"")
        place = placer.place(key, address, promises=False)  # a promise is for the WebSocket that comes
        if place.node.is_backend:
            placer.give_up(place)
            return self._at_gateway(client, head, place.node.name, query.key if query is not None else None, token)
        told = _told(key, pins=pins)
        others = b",".join([self._alternate(other, told) for other in place.alternates if not other.is_backend])
        return self._format(placer, place.node, place.ticket, told, others, place.wait_s)

    def _alternate(self, node: NodeLoad, key: bytes) -> bytes:
        known = self._of(node)
        return b'{"node":%b,"url":%b%b"}' % (known.name, known.url_open, key) if key else known.alternate

    def _at_gateway(
        self, client: asyncio.BaseTransport, head: RequestHead, node: NodeName, key: bytes | None, token: str
    ) -> bytes:
        """Return the answer that leads through this gateway, with the client's own key, and the `token` of its query,
        which is asked for there again; `node` would be chosen now."""
        path = quote(asked_path(head).encode("latin-1"), safe=_PATH_CHARACTERS)
        parts = [f"key={quote_key(key)}"] if key is not None else []
        parts += [token] if token else []
        told = f"?{'&'.join(parts)}" if parts else ""
        url = f"{self._base or self._affinity.base_url(client, head)}/{path.lstrip('/')}{told}"
        return b'{"url":%b,"ticket":"","expires_in":0,"node":%b,"alternates":[]}' % (_encode(url), _encode(node))

    def _format(
        self, placer: Placer, node: NodeLoad, ticket: str, key: bytes, others: bytes, wait_s: float = 0.0
    ) -> bytes:
        known = self._of(node)
        if ticket:
            shown = ticket.encode()
            asked = b"%b&ticket=%b" % (key, shown) if key else b"ticket=" + shown
            expires_in, when = TICKET_TTL_S, self._advice(placer)
            if wait_s:
                expires_in += ceil(wait_s)
                when = b'"wait_ms":%d,%b' % (ceil(1000 * wait_s), when)
            return b'{"url":%b%b","ticket":"%b","expires_in":%d,%b"node":%b,"alternates":[%b]}' % (
                known.url_open, asked, shown, expires_in, when, known.name, others,
            )  # fmt: skip
        url = known.url_open + key if key else known.url_open[:-1]
        return b'{"url":%b","ticket":"","expires_in":0,"node":%b,"alternates":[%b]}' % (url, known.name, others)

    def _advice(self, placer: Placer) -> bytes:
        """Return the window to spread over, as a member of the answer; empty without advice."""
        window_ms = placer.queue.window_ms
        if window_ms != self._advised_ms:
            self._advised_ms = window_ms
            self._advised = b'"reconnect_window_ms":%d,' % window_ms if window_ms else b""
        return self._advised

    def _of(self, node: NodeLoad) -> _EncodedNode:
        known = self._known.get(node.name)
        report = node.report
        if known is None or (report and (known.url != report.url or known.public_url != report.public_url)):
            if len(self._known) > 2 * len(self._placers.groups.nodes) + 16:
                self._known.clear()  # nodes that are gone must not accumulate
            known = self._known[node.name] = _EncodedNode(node)
        return known

    def _cors(self, head: RequestHead) -> bytes:
        """Return the headers that let a page of an allowed origin read the answer; caches must tell origins apart."""
        origin = value_of(head.headers, "origin")
        if origin is None or not self._origins.lists(origin):
            return b"Vary: Origin\r\n"
        return b"Vary: Origin\r\nAccess-Control-Allow-Origin: %b\r\n" % origin.encode("latin-1")


def _told(key: bytes | None, *, pins: bool) -> bytes:
    """Return the part of a node's query with the client's key, and with `pin` if the client asked to stay."""
    told = b"key=%b" % quote_key(key).encode() if key is not None else b""
    return told + (b"&pin=1" if told else b"pin=1") if pins else told


def _with(cors: bytes, whole: bytes) -> bytes:
    """Return the response with the headers `cors` added."""
    return whole.replace(b"\r\n", b"\r\n" + cors, 1)
