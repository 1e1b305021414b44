"""Who may open a connection: decided on the request, before 101 (PROTOCOL.md P-2, P-5).

In this order: bounds and rate, path, handshake rules, origin, ticket. In a flood most are refused for the first, so
that is judged before anything is read; with a ticket the rate is judged once the ticket has proved good. It is spent
last, so that none is spent on a refusal.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from ringway.core.address import EXEMPT, address_of
from ringway.core.handshake_limiter import HandshakeLimiter
from ringway.core.refusals import Refusals
from ringway.errors import Overloaded, TicketError, UpgradeError
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
from ringway.protocol.move import read_follows
from ringway.protocol.origin import origins_at, read_origins
from ringway.protocol.proxy_header import Peer
from ringway.protocol.ticket import NonceCache, TicketSigner
from ringway.protocol.upgrade import Headers, check_request, value_of, wants_upgrade
from ringway.types import NodeState

if TYPE_CHECKING:
    from ringway.member.gateway_origins import GatewayOrigins
    from ringway.member.redeemed_tickets import RedeemedTickets
    from ringway.node.shared import Shared

KEY_BYTES_MAX = 1024
"""Longest affinity key: it is kept as long as the connection."""

QUERY_FIELDS_MAX = 64

JSON_PROTOCOL = "centrifuge-json"
PROTOBUF_PROTOCOL = "centrifuge-protobuf"


@dataclass(frozen=True, slots=True)
class Admitted:
    """What an admitted request brings along."""

    key: bytes = b""  # for affinity, byte for byte as the client gave it
    moved: bool = False  # its ticket was issued by another node: a move ends here
    pinned: bool = False  # it is not to be moved
    follows: str = ""  # how it is told of a move that its session goes along with (`protocol.move`); empty: not at all
    arrival: bytes | None = None  # the nonce of its ticket, where a session of another node goes on here
    protocol: str = ""  # the subprotocol to answer with
    address: str = EXEMPT  # as the client is counted; one object for all that share it


class Admission:
    """Judges handshake requests. `wall` is Unix time, for tickets."""

    __slots__ = (
        "_gateway_origins",
        "_gateways",
        "_hosts",
        "_intake",
        "_nonces",
        "_origins",
        "_own_hosts",
        "_own_origins",
        "_per_s",
        "_shared",
        "_signer",
        "_tickets",
        "_trusted",
        "_wall",
        "on_loopback",
        "refusals",
    )  # fmt: skip

    def __init__(
        self,
        shared: "Shared",
        tickets: "RedeemedTickets",
        gateways: "GatewayOrigins",
        signer: TicketSigner,
        wall: Callable[[], float],
        per_s: Callable[[], float],
    ) -> None:
        self._shared = shared
        self._tickets = tickets
        self._gateway_origins = gateways
        self._signer = signer
        self._wall = wall
        self._nonces = NonceCache()
        self._intake = HandshakeLimiter(shared.clock())
        self.refusals = Refusals()
        self._per_s = per_s
        config = shared.config
        urls = (config.url, config.public_url)
        self.on_loopback = False
        """Whether only this machine can connect; then pages must not have been led here under another name."""
        self._trusted = read_networks(config.trusted_proxies)
        self._own_hosts = read_hosts(config.allowed_hosts).union(name for url in urls for name in host_at(url))
        self._own_origins = read_origins(config.allowed_origins).joined(
            [origin for url in urls for origin in origins_at(url)]
        )
        self._gateways: tuple[str, ...] | None = None
        self._follow_gateways(gateways.origins)

    def admit(self, head: RequestHead, peer: Peer) -> Admitted:
        """Return what an admissible request brings along; raise `UpgradeError` for any other."""
        config = self._shared.config
        headers = head.headers
        plain = "ticket=" not in head.query
        if plain and wants_upgrade(headers):
            address = self._address_at(headers, peer)
            self._check_bounds(address, has_ticket=False)
            self._take_in(address, ticket=False)
        if head.path != config.path:
            raise UpgradeError(404, f"there is nothing here; the WebSocket is at {config.path}")
        upgrade = check_request(head.method, head.version, headers)
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
                self._take_in(address, ticket=False)
        self._check_origin(headers, client)
        resumes = fields.get("resume") == ["1"]
        if resumes and not ticket:
            raise UpgradeError(400, "resume=1 stands without a ticket; it goes with the one of the move")
        moved, nonce = self._redeem(ticket, address, resumes=resumes) if ticket else (False, b"")
        return Admitted(
            key,
            moved,
            pinned=config.allow_pins and fields.get("pin") == ["1"],
            follows=read_follows(fields.get("moves", [""])[0]),
            arrival=nonce if resumes else None,
            protocol=JSON_PROTOCOL if JSON_PROTOCOL in upgrade.protocols else "",
            address=sys.intern(address),
        )

    def _take_in(self, address: str, *, ticket: bool) -> None:
        """Count a handshake; refuse it where more come than the node can take, or most of them from this address."""
        shared = self._shared
        now, per_s, share = shared.clock(), self._per_s(), shared.config.address_share
        if not shared.config.shed_handshakes or self._intake.take(
            now, per_s, ticket=ticket, address=address, share=share
        ):
            return
        shared.stats.turned_away += 1
        pause = str(ceil(self._intake.pause_s(now, per_s)) + 1)
        raise UpgradeError(
            503, f"more handshakes come than the {per_s:.0f} a second that the node can take", (("Retry-After", pause),)
        )

    def _check_bounds(self, address: str, *, has_ticket: bool) -> None:
        shared, config = self._shared, self._shared.config
        later = (("Retry-After", str(config.retry_after_s)),)
        pending_max = config.pending_max * (2 if has_ticket else 1)
        if shared.gate.opening + shared.roster.waiting > pending_max and not self._make_room(address):
            raise UpgradeError(503, f"{config.pending_max} handshakes are under way; try again later", later)
        if len(shared.roster) >= shared.connections_max:
            raise UpgradeError(503, f"the node holds {shared.connections_max} connections, its maximum", later)
        shares, most = shared.roster.shares, config.address_connections_max
        if not shares.has_room(address, shared.connections_max, config.address_share, most):
            shared.stats.address_refused["connections"] += 1
            self.refusals.add(address, "connections")
            setting = shares.setting_met(address, most, "address_connections_max")
            raise UpgradeError(
                503,
                f"{address} has {shares.count(address)} of {shared.connections_max} connections and may have no more "
                f"now; close some, or come again later ({setting})",
                later,
            )
        if shared.state is NodeState.DRAINING and not has_ticket:
            raise UpgradeError(503, "the node is draining; connect through the gateway", later)

    def _make_room(self, address: str) -> bool:
        """Close a connection that owes a request or its first command, for one of `address`, if one is to go."""
        shared = self._shared
        if shared.gate.opening >= shared.roster.waiting and shared.gate.make_room(address):
            return True
        victim = shared.roster.victim(shared.clock(), address)
        if victim is None:
            return shared.gate.make_room(address)
        shared.stats.evicted += 1
        victim.close(CLOSED, "no connect command yet, and others come")
        victim.cut()
        return True

    def _address_at(self, headers: Headers, peer: "Peer") -> str:
        """Return the address for which a request without a ticket came."""
        return self._counted(read_client(peer.ip, headers, self._trusted).ip if self._trusted else peer.ip)

    def _counted(self, ip: str) -> str:
        """Return how a client at `ip` is counted; `EXEMPT` for a trusted proxy, which has not told for whom it asks."""
        return EXEMPT if self._trusted and is_trusted(ip, self._trusted) else address_of(ip)

    def _redeem(self, ticket: str, address: str, *, resumes: bool) -> tuple[bool, bytes]:
        """Take a place that was reserved; return whether a node reserved it, to move a connection here, and the nonce.

        A session that is not expected here is refused before its ticket is spent.
        """
        now = self._wall()
        try:
            issuer, nonce = self._signer.check(ticket, self._shared.name, now)
            if resumes and not self._shared.arrivals.expects(nonce):
                raise UpgradeError(410, "the session is not here, or no more; connect anew")
            self._take_in(address, ticket=True)
            self._nonces.spend(nonce, now)
        except TicketError as error:
            raise UpgradeError(403, str(error)) from error
        except Overloaded as error:
            raise UpgradeError(503, str(error), (("Retry-After", str(self._shared.config.retry_after_s)),)) from error
        self._tickets.count_ticket(issuer)
        return self._tickets.is_node(issuer), nonce

    def _client(self, headers: Headers, peer: Peer, ticket: str) -> ForwardedClient:
        """Return who is behind the request, as a gateway has proved it, or trusted proxies say.

        Raise `UpgradeError` where a name has led it to this machine that is not known here (`protocol.host`).
        """
        proof = value_of(headers, PROOF)
        if proof is not None and ticket and self._signer.proves(proof, ticket, told_of(headers)):
            return read_told(peer.ip, headers, peer.scheme)
        client = read_client(peer.ip, headers, self._trusted, peer.scheme)
        if self.on_loopback and not (peer.carried or is_trusted(peer.ip, self._trusted)):
            self._follow_gateways(self._gateway_origins.origins)
            if not host_known(client.host, self._hosts):
                raise UpgradeError(403, unknown_host(client.host))
        return client

    def _check_origin(self, headers: Headers, client: ForwardedClient) -> None:
        """Refuse pages of other sites. A ticket is no excuse: any site can get one, and hand it to its pages."""
        origin = value_of(headers, "origin")
        if origin is None:
            return
        self._follow_gateways(self._gateway_origins.origins)
        if not self._origins.allows(origin, client.scheme, client.host):
            raise UpgradeError(
                403, f"pages of {origin} may not connect to {client.scheme}://{client.host}; see allowed_origins"
            )

    def _follow_gateways(self, origins: tuple[str, ...]) -> None:
        """Let pages of the gateways connect, and hosts by which gateways are known lead here."""
        if self._gateways is not origins:
            self._gateways = origins
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
