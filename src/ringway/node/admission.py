"""Who may open a connection: decided on the request, before 101 (PROTOCOL.md P-2, P-5).

In this order: bounds and rate, path, handshake rules, origin, ticket. In a flood most are refused for the first, so
that is judged before anything is read; with a ticket the rate is judged once the ticket has proved good. It is spent
last, so that none is spent on a refusal.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

import msgspec
from picows import WSUpgradeRequest, WSUpgradeResponse, WSUpgradeResponseWithListener

from ringway.core.intake import Intake
from ringway.errors import Overloaded, TicketError, UpgradeError
from ringway.protocol.move import read_follows
from ringway.protocol.origin import origin_allowed
from ringway.protocol.ticket import Mint, Spent
from ringway.protocol.upgrade import check_request, value_of
from ringway.types import NodeState

if TYPE_CHECKING:
    from ringway.node.peers import Peers
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


class Admission:
    """Judges handshake requests. `wall` is Unix time, for tickets."""

    __slots__ = ("_intake", "_mint", "_peers", "_per_s", "_shared", "_spent", "_wall")

    def __init__(
        self, shared: "Shared", peers: "Peers", mint: Mint, wall: Callable[[], float], per_s: Callable[[], float]
    ) -> None:
        self._shared = shared
        self._peers = peers
        self._mint = mint
        self._wall = wall
        self._spent = Spent()
        self._intake = Intake(shared.clock())
        self._per_s = per_s

    def admit(self, request: WSUpgradeRequest) -> Admitted:
        """Return what an admissible request brings along; raise `UpgradeError` for any other.

        Makes the request fit for picows, which wants `Connection: upgrade` alone (Firefox also sends keep-alive).
        """
        config = self._shared.config
        plain = b"ticket=" not in request.path
        if plain and "upgrade" in request.headers:
            self._check_bounds(has_ticket=False)
            self._take_in(ticket=False)
        path, _, query = request.path.decode("ascii", "replace").partition("?")
        if path != config.path:
            raise UpgradeError(404, f"there is nothing here; the WebSocket is at {config.path}")
        headers = [(name.lower(), value) for name, value in request.headers.items()]
        upgrade = check_request(request.method.decode("ascii", "replace"), request.version.decode()[5:], headers)
        if PROTOBUF_PROTOCOL in upgrade.protocols and JSON_PROTOCOL not in upgrade.protocols:
            raise UpgradeError(400, "this node speaks the JSON form of the protocol; leave centrifuge-protobuf out")
        fields = _fields(query)
        key = _single(fields, "key").encode("utf-8", "surrogateescape")
        if len(key) > KEY_BYTES_MAX:
            raise UpgradeError(400, f"the key is longer than {KEY_BYTES_MAX} bytes")
        ticket = _single(fields, "ticket")
        if not plain:
            self._check_bounds(has_ticket=bool(ticket))
            if not ticket:
                self._take_in(ticket=False)
        self._check_origin(headers)
        resumes = fields.get("resume") == ["1"]
        if resumes and not ticket:
            raise UpgradeError(400, "resume=1 stands without a ticket; it goes with the one of the move")
        moved, nonce = self._redeem(ticket, resumes=resumes) if ticket else (False, b"")
        request.headers["Connection"] = "upgrade"
        return Admitted(
            key,
            moved,
            pinned=config.allow_pins and fields.get("pin") == ["1"],
            follows=read_follows(fields.get("moves", [""])[0]),
            arrival=nonce if resumes else None,
            protocol=JSON_PROTOCOL if JSON_PROTOCOL in upgrade.protocols else "",
        )

    def _take_in(self, *, ticket: bool) -> None:
        """Count a handshake; refuse it where more come than the node can take."""
        shared = self._shared
        now, per_s = shared.clock(), self._per_s()
        if not shared.config.shed_handshakes or self._intake.take(now, per_s, ticket=ticket):
            return
        shared.stats.turned_away += 1
        pause = str(ceil(self._intake.pause_s(now, per_s)) + 1)
        raise UpgradeError(
            503, f"more handshakes come than the {per_s:.0f} a second that the node can take", (("Retry-After", pause),)
        )

    def _check_bounds(self, *, has_ticket: bool) -> None:
        shared = self._shared
        later = (("Retry-After", str(shared.config.retry_after_s)),)
        pending_max = shared.config.pending_max * (2 if has_ticket else 1)
        if shared.gate.opening + shared.roster.waiting > pending_max:
            raise UpgradeError(503, f"{shared.config.pending_max} handshakes are under way; try again later", later)
        if len(shared.roster) >= shared.connections_max:
            raise UpgradeError(503, f"the node holds {shared.connections_max} connections, its maximum", later)
        if shared.state is NodeState.DRAINING and not has_ticket:
            raise UpgradeError(503, "the node is draining; connect through the gateway", later)

    def _redeem(self, ticket: str, *, resumes: bool) -> tuple[bool, bytes]:
        """Take a place that was reserved; return whether a node reserved it, to move a connection here, and the nonce.

        A session that is not expected here is refused before its ticket is spent.
        """
        now = self._wall()
        try:
            issuer, nonce = self._mint.check(ticket, self._shared.name, now)
            if resumes and not self._shared.arrivals.expects(nonce):
                raise UpgradeError(410, "the session is not here, or no more; connect anew")
            self._take_in(ticket=True)
            self._spent.spend(nonce, now)
        except TicketError as error:
            raise UpgradeError(403, str(error)) from error
        except Overloaded as error:
            raise UpgradeError(503, str(error), (("Retry-After", str(self._shared.config.retry_after_s)),)) from error
        self._peers.redeemed(issuer, self._shared.clock())
        return self._peers.is_node(issuer), nonce

    def _check_origin(self, headers: list[tuple[str, str]]) -> None:
        """Refuse pages of other sites. A ticket is no excuse: any site can get one, and hand it to its pages."""
        origin = value_of(headers, "origin")
        host = value_of(headers, "host") or ""
        allowed = (*self._shared.config.allowed_origins, *self._peers.gateway_origins)
        if not origin_allowed(origin, host, allowed):
            raise UpgradeError(403, f"pages of {origin} may not connect; see allowed_origins")


def refusal(error: UpgradeError) -> WSUpgradeResponseWithListener:
    """The HTTP response that tells `error`, as small JSON."""
    body = msgspec.json.encode({"error": str(error)})
    headers = [("Content-Type", "application/json"), ("Cache-Control", "no-store"), *error.headers]
    return WSUpgradeResponseWithListener(WSUpgradeResponse.create_error_response(error.status, body, headers), None)


def _fields(query: str) -> dict[str, list[str]]:
    try:
        return parse_qs(query, errors="surrogateescape", max_num_fields=QUERY_FIELDS_MAX)
    except ValueError as error:
        raise UpgradeError(400, f"the query has more than {QUERY_FIELDS_MAX} fields") from error


def _single(fields: dict[str, list[str]], name: str) -> str:
    values = fields.get(name, [""])
    if len(values) > 1:
        raise UpgradeError(400, f"{name}= stands twice in the query")
    return values[0]
