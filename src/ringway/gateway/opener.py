"""Opens one WebSocket at a node: chooses, hands the handshake over, and tries others where a node fails."""

import asyncio
import ssl
from collections.abc import Collection
from ipaddress import ip_network

import structlog

from ringway.core.load import NodeLoad
from ringway.errors import ConfigError, UpgradeError
from ringway.gateway.backends import Address, read_address
from ringway.gateway.config import GatewayConfig
from ringway.gateway.head import Head
from ringway.gateway.placer import Place, Placer
from ringway.gateway.query import Query
from ringway.gateway.rewrite import refusal_headers, upgrade_request
from ringway.gateway.stats import Stats
from ringway.gateway.upstream import Answer, Unreachable, ask
from ringway.protocol.forwarded import Network, is_trusted, read_client
from ringway.protocol.upgrade import Upgrade, check_response

_log = structlog.get_logger()


class Refusal(UpgradeError):
    """A node refused the handshake with a status that its client should see."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status, f"the node refused with {answer.status}", refusal_headers(answer.headers))
        self.body = answer.body


class Opener:
    """See the module. What it returns is checked: a valid WebSocket, or nothing (DESIGN.md 12)."""

    def __init__(self, config: GatewayConfig, placer: Placer, stats: Stats) -> None:
        self._config = config
        self._placer = placer
        self._stats = stats
        self._trusted: Collection[Network] = read_networks(config.trusted_proxies)
        self._addresses: dict[str, Address] = {}
        self._tls: ssl.SSLContext | None = None

    async def open(self, client: asyncio.Transport, head: Head, upgrade: Upgrade) -> tuple[Place, Answer]:
        """Return a place and the good answer of its node, trying alternates where nodes fail."""
        query = Query(head.query)
        moved = self._placer.moved(query.node, query.ticket) if query.node and query.ticket else None
        if moved is not None:
            place = Place(moved, query.ticket, (), held=False)
            try:
                return place, await self._try(client, head, query, upgrade, place)
            except Unreachable:
                self._stats.retries += 1
            except Refusal as error:
                if error.status != 403:  # a used ticket must not shut its bearer out
                    raise
        place = self._placer.place(query.key_bytes)
        while True:
            try:
                return place, await self._try(client, head, query, upgrade, place)
            except Unreachable:
                if not place.alternates:
                    raise
            self._stats.retries += 1
            place = self._placer.place_at(place.alternates[0], place.alternates[1:])

    async def _try(self, client: asyncio.Transport, head: Head, query: Query, upgrade: Upgrade, place: Place) -> Answer:
        """Return the answer of the node at `place` if it opens the WebSocket; else give the place up and raise."""
        config = self._config
        answer: Answer | None = None
        try:
            address = self._address(place.node)
            request = self._request(client, head, query, address, place)
            tls = self._tls_context() if address.tls else None
            answer = await ask(address, request, tls, config.connect_deadline_s, config.answer_deadline_s)
            self._check_status(answer)
            check_response(upgrade, answer.status, answer.version, answer.headers)
        except BaseException as error:
            self._placer.give_up(place)
            if answer is not None:
                answer.transport.abort()
            if isinstance(error, UpgradeError):
                _log.info("a node did not open a websocket", node=place.node.name, error=str(error))
            raise
        return answer

    def _check_status(self, answer: Answer) -> None:
        """Tell refusals apart: those that the client must see, and those after which another node may do better."""
        status = answer.status
        if 400 <= status < 500:
            raise Refusal(answer)
        if status == 503:
            raise Unreachable(503, "the node takes no more now", (("Retry-After", self._placer.retry_after()),))
        if status >= 500:
            raise Unreachable(502, f"the node answered {status} to a WebSocket handshake")

    def _request(self, client: asyncio.Transport, head: Head, query: Query, address: Address, place: Place) -> bytes:
        peer = client.get_extra_info("peername")
        peer_ip = peer[0] if peer else ""
        # Only static backends have a path of their own: a node serves the path that its clients ask for.
        path = head.path if self._placer.tickets else address.prefix + head.path
        asked = query.for_node(place.ticket) if self._placer.tickets else head.query
        target = f"{path}?{asked}" if asked else path
        who = read_client(peer_ip, head.headers, self._trusted)
        return upgrade_request(target, head.headers, who, trust_peer=is_trusted(peer_ip, self._trusted))

    def _address(self, node: NodeLoad) -> Address:
        url = node.report.url if node.report is not None else ""
        address = self._addresses.get(url)
        if address is None:
            try:
                address = read_address(url)
            except ConfigError as error:
                raise Unreachable(502, f"the node {node.name} reports a URL that cannot be used") from error
            if len(self._addresses) > 4096:  # nodes come and go, with ever new ports
                self._addresses.clear()
            self._addresses[url] = address
        return address

    def _tls_context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = ssl.create_default_context()
            self._tls.set_alpn_protocols(["http/1.1"])
        return self._tls


def read_networks(texts: Collection[str]) -> tuple[Network, ...]:
    """Return the networks in `texts`; raise `ConfigError` that names those that are none."""
    networks: list[Network] = []
    problems: list[str] = []
    for text in texts:
        try:
            networks.append(ip_network(text, strict=False))
        except ValueError as error:
            problems.append(
                f"trusted_proxies: {text!r} is no network ({error}); write it as 10.0.0.0/8 or 2001:db8::/32"
            )
    if problems:
        raise ConfigError(*problems)
    return tuple(networks)
