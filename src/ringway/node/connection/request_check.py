"""Check of handshake requests, before 101 (PROTOCOL.md P-2, P-5).

The order is: bounds and rate, path, handshake rules, origin, ticket. In a flood most requests are refused for their
rate, so the rate is checked first; for a request with a ticket, after the ticket was verified. The ticket is redeemed
last, so that no refusal spends it.
"""

import sys
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs

from ringway.core.address import EXEMPT, address_of
from ringway.core.refusals import Refusals
from ringway.errors import PathRefused, UpgradeError
from ringway.hooks.options import ADDRESS_HEADERS
from ringway.member.admission import Admission
from ringway.member.gateway_origins import GatewayOrigins
from ringway.node.config.node import NodeConfig
from ringway.node.connection.connection import Connection
from ringway.node.connection.handler import NO_HEADERS, Identity
from ringway.node.connection.pending_handshakes import PendingHandshakes
from ringway.node.connection.registry import ConnectionRegistry
from ringway.node.stats import NodeStats
from ringway.protocol.close import CLOSED
from ringway.protocol.forwarded import (
    PROOF,
    ForwardedClient,
    is_trusted,
    read_client,
    read_networks,
    read_told,
    told_of,
)
from ringway.protocol.head import RequestHead
from ringway.protocol.host import host_at, host_known, read_hosts, unknown_host
from ringway.protocol.knock import KNOCK
from ringway.protocol.move import read_follows
from ringway.protocol.origin import origins_at, read_origins
from ringway.protocol.proxy_header import Peer
from ringway.protocol.ticket import TicketSigner
from ringway.protocol.upgrade import Headers, Upgrade, check_request, value_of, wants_upgrade

KEY_BYTES_MAX = 1024
"""The longest affinity key: it is stored as long as the connection."""

QUERY_FIELDS_MAX = 64

_JOINED = {"cookie": "; "}
"""What joins two headers of one name, if not a comma (RFC 6265, 5.4; RFC 9110, 5.3)."""

JSON_PROTOCOL = "centrifuge-json"
PROTOBUF_PROTOCOL = "centrifuge-protobuf"


@dataclass(frozen=True, slots=True)
class Admitted:
    """The result of an admitted request."""

    identity: Identity
    nonce: bytes | None  # the nonce of its ticket, if a session from a different node goes on here
    protocol: str  # the subprotocol of the answer; empty: none


class RequestCheck:
    """Checks the handshake requests of a node. `clock` is monotonic.

    `expects_session` returns True if a session is coming for the nonce of a ticket. `passed_headers` are the names of
    the headers that connections store for hooks.
    """

    __slots__ = (
        "_admission",
        "_clock",
        "_config",
        "_connections_max",
        "_expects_session",
        "_gateways",
        "_handshakes",
        "_headers",
        "_hosts",
        "_on_loopback",
        "_origins",
        "_own_hosts",
        "_own_origins",
        "_registry",
        "_seen_origins",
        "_signer",
        "_stats",
        "_trusted",
        "refusals",
    )  # fmt: skip

    def __init__(
        self,
        config: NodeConfig,
        admission: Admission,
        gateways: GatewayOrigins,
        signer: TicketSigner,
        handshakes: PendingHandshakes,
        registry: ConnectionRegistry[Connection],
        stats: NodeStats,
        *,
        connections_max: int,
        expects_session: Callable[[bytes], bool],
        passed_headers: Collection[str] = (),
        clock: Callable[[], float],
    ) -> None:
        self._config = config
        self._headers = frozenset(passed_headers)
        self._admission = admission
        self._gateways = gateways
        self._signer = signer
        self._handshakes = handshakes
        self._registry = registry
        self._stats = stats
        self._connections_max = connections_max
        self._expects_session = expects_session
        self._clock = clock
        self._on_loopback = False
        self.refusals = Refusals()
        urls = (config.url, config.public_url)
        self._trusted = read_networks(config.trusted_proxies)
        self._own_hosts = read_hosts(config.allowed_hosts).union(name for url in urls for name in host_at(url))
        self._own_origins = read_origins(config.allowed_origins).joined(
            [origin for url in urls for origin in origins_at(url)]
        )
        self._seen_origins: tuple[str, ...] | None = None
        self._follow_gateways()

    def set_on_loopback(self) -> None:
        """Record that only this machine can connect: then pages must not have been led here by an unknown name."""
        self._on_loopback = True

    def read_upgrade(self, head: RequestHead) -> Upgrade:
        """Return the handshake in a request for the node's path; raise `UpgradeError` if the request is not a
        handshake."""
        if head.path != self._config.path:
            raise PathRefused(404, f"there is nothing here; the WebSocket is at {self._config.path}")
        return check_request(head.method, head.version, head.headers)

    def admit(self, head: RequestHead, peer: Peer) -> Admitted:
        """Return the result of an admissible request; raise `UpgradeError` for any other."""
        config = self._config
        headers = head.headers
        plain = "ticket=" not in head.query
        if plain and wants_upgrade(headers):
            address = self._address_at(headers, peer)
            self._check_bounds(address, has_ticket=False)
            self._admission.count_handshake(address, has_ticket=False)
        upgrade = self.read_upgrade(head)
        if value_of(headers, KNOCK) is not None:
            raise UpgradeError(403, "the knock was not made with this node's secret; give all members the same secret")
        if PROTOBUF_PROTOCOL in upgrade.protocols and JSON_PROTOCOL not in upgrade.protocols:
            raise UpgradeError(400, "this node speaks the JSON form of the protocol; leave centrifuge-protobuf out")
        fields = _fields(head.query)
        key = _single(fields, "key").encode("utf-8", "surrogateescape")
        if len(key) > KEY_BYTES_MAX:
            raise UpgradeError(400, f"the key is longer than {KEY_BYTES_MAX} bytes")
        ticket = _single(fields, "ticket")
        client = self._client(headers, peer, ticket)
        address = self._counted(client.ip)
        if not plain:
            self._check_bounds(address, has_ticket=bool(ticket))
            if not ticket:
                self._admission.count_handshake(address, has_ticket=False)
        self._check_origin(headers, client)
        resumes = fields.get("resume") == ["1"]
        if resumes and not ticket:
            raise UpgradeError(400, "resume=1 stands without a ticket; it goes with the one of the move")
        is_move, nonce = False, b""
        if ticket:
            check_nonce = self._check_expected if resumes else None
            is_move, nonce = self._admission.redeem_ticket(ticket, address, check_nonce)
        identity = Identity(
            address=sys.intern(address),
            key=key,
            is_moved=is_move,
            is_pinned=config.allow_pins and fields.get("pin") == ["1"],
            headers=self._passed(headers, client) if self._headers else NO_HEADERS,
            follows=read_follows(fields.get("moves", [""])[0]),
        )
        protocol = JSON_PROTOCOL if JSON_PROTOCOL in upgrade.protocols else ""
        return Admitted(identity, nonce if resumes else None, protocol)

    def _passed(self, headers: Headers, client: ForwardedClient) -> Mapping[str, str]:
        """Return the headers that hooks are passed. Those with the client's address say what this node knows of it."""
        found: dict[str, str] = {}
        for name, value in headers:
            if name in self._headers:
                found[name] = f"{found[name]}{_JOINED.get(name, ', ')}{value}" if name in found else value
        return found | dict.fromkeys(ADDRESS_HEADERS & self._headers, client.ip)

    def _check_expected(self, nonce: bytes) -> None:
        if not self._expects_session(nonce):
            raise UpgradeError(410, "the session is not here, or no more; connect anew")

    def _check_bounds(self, address: str, *, has_ticket: bool) -> None:
        config, registry, most = self._config, self._registry, self._connections_max
        later = (("Retry-After", str(config.retry_after_s)),)
        pending_max = config.pending_max * (2 if has_ticket else 1)
        if len(self._handshakes) + registry.waiting > pending_max and not self._make_room(address):
            raise UpgradeError(503, f"{config.pending_max} handshakes are under way; try again later", later)
        if len(registry) >= most:
            raise UpgradeError(503, f"the node holds {most} connections, its maximum", later)
        shares, of_address = registry.shares, config.address_connections_max
        if not shares.has_room(address, most, config.address_share, of_address):
            self._stats.address_refused["connections"] += 1
            self.refusals.add(address, "connections")
            setting = shares.setting_met(address, of_address, "address_connections_max")
            raise UpgradeError(
                503,
                f"{address} has {shares.count(address)} of {most} connections and may have no more "
                f"now; close some, or come again later ({setting})",
                later,
            )
        self._admission.check_state(has_ticket=has_ticket)

    def _make_room(self, address: str) -> bool:
        """Close a socket that owes a request or its first command, for one of `address`; False if there is none."""
        if len(self._handshakes) >= self._registry.waiting and self._handshakes.make_room(address):
            return True
        victim = self._registry.victim(self._clock(), address)
        if victim is None:
            return self._handshakes.make_room(address)
        self._stats.evicted += 1
        victim.close(CLOSED, "no connect command yet, and others come")
        victim.cut()
        return True

    def _address_at(self, headers: Headers, peer: Peer) -> str:
        """Return the address for which a request without a ticket came."""
        return self._counted(read_client(peer.ip, headers, self._trusted).ip if self._trusted else peer.ip)

    def _counted(self, ip: str) -> str:
        """Return the address for which a client at `ip` counts; `EXEMPT` for a trusted proxy that names no client."""
        return EXEMPT if self._trusted and is_trusted(ip, self._trusted) else address_of(ip)

    def _client(self, headers: Headers, peer: Peer, ticket: str) -> ForwardedClient:
        """Return the client behind the request, by a gateway's proof, or by the headers of trusted proxies.

        Raise `UpgradeError` if it was led to this machine by an unknown name (`protocol.host`).
        """
        proof = value_of(headers, PROOF)
        if proof is not None and ticket and self._signer.proves(proof, ticket, told_of(headers)):
            return read_told(peer.ip, headers, peer.scheme)
        client = read_client(peer.ip, headers, self._trusted, peer.scheme)
        if self._on_loopback and not (peer.carried or is_trusted(peer.ip, self._trusted)):
            self._follow_gateways()
            if not host_known(client.host, self._hosts):
                raise UpgradeError(403, unknown_host(client.host))
        return client

    def _check_origin(self, headers: Headers, client: ForwardedClient) -> None:
        """Refuse pages of foreign sites, also with a ticket: any site can get a ticket, and pass it to its pages."""
        origin = value_of(headers, "origin")
        if origin is None:
            return
        self._follow_gateways()
        if not self._origins.allows(origin, client.scheme, client.host):
            raise UpgradeError(
                403, f"pages of {origin} may not connect to {client.scheme}://{client.host}; see allowed_origins"
            )

    def _follow_gateways(self) -> None:
        """Allow pages of the gateways to connect, and the host names of gateways to lead here."""
        origins = self._gateways.origins
        if self._seen_origins is not origins:
            self._seen_origins = origins
            self._origins = self._own_origins.joined(origins)
            self._hosts = self._own_hosts.union(name for origin in origins for name in host_at(origin))


def _fields(query: str) -> dict[str, list[str]]:
    try:
        text = query.encode("latin-1").decode("utf-8", "surrogateescape")
        return parse_qs(text, errors="surrogateescape", max_num_fields=QUERY_FIELDS_MAX)
    except ValueError as error:
        raise UpgradeError(400, f"the query has more than {QUERY_FIELDS_MAX} fields") from error


def _single(fields: dict[str, list[str]], name: str) -> str:
    values = fields.get(name, [""])
    if len(values) > 1:
        raise UpgradeError(400, f"{name}= stands twice in the query")
    return values[0]
