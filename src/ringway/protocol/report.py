"""Reports: what every member says of itself, each second and whenever it changed (PROTOCOL.md P-8).

Reports are the only source of membership and load. A member that is not heard is gone; nothing is stored.
"""

from typing import Annotated

import msgspec

from ringway.protocol.decoding import reader
from ringway.protocol.directive import Directive
from ringway.types import Incarnation, Issuer, NodeName, NodeState, Role

Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]


class Report(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The state of one member as it sees itself. Counters grow from the start of the incarnation."""

    name: NodeName
    incarnation: Incarnation
    role: Role
    seq: int  # grows by one a report; an older one that arrives late is dropped
    url: str  # where members reach it: the gateway's proxy connects here
    public_url: str = ""  # where clients reach it, if not at `url`
    version: str = ""
    admin_url: str = ""
    engine_up: bool = True

    # of a node: its connections and its capacity
    weight: Annotated[float, msgspec.Meta(ge=0)] = 1.0  # 0: it wants no new ones
    zone: str = ""
    state: NodeState = NodeState.ACTIVE
    connections: Count = 0
    pending: Count = 0  # handshakes and connect commands under way
    connections_max: Count = 0  # how many it takes; 0: not known
    cooling: Count = 0  # of the connections, those that it will not move now: moved here a short while ago, or pinned
    drain_left_s: float = 0.0  # while it drains by a deadline: how long is left
    drain_avoid: tuple[NodeName, ...] = ()  # while it drains: nodes that drain next, and get as few clients as possible
    accept_per_s: float = 0.0  # handshakes a second that it can take, measured
    handshake_p99_s: float = 0.0  # from accepting a connection to answering its handshake; 0: no recent handshake
    utilisation: dict[str, float] = msgspec.field(
        default_factory=dict
    )  # of cpu, memory, ...: 1 is as much as is healthy
    cpu: float = 0.0  # share of one core, 0 to 1
    memory_bytes: Count = 0
    loop_lag_s: float = 0.0
    publications: Count = 0  # counter: received from the engine
    deliveries: Count = 0  # counter: publications times subscribers
    accepted: Count = 0  # counter: connections

    # the ledger of places (core.load.reservation)
    taken: dict[Issuer, Count] = msgspec.field(default_factory=dict)  # counter: tickets redeemed here, by issuer
    reserved: dict[NodeName, Count] = msgspec.field(default_factory=dict)  # places held at other nodes, not yet taken
    moved: dict[NodeName, Count] = msgspec.field(default_factory=dict)  # counter: connections sent there
    missed: Count = 0  # counter: connections sent away that did not come to their place in time

    # of a gateway alone
    leading: bool = False  # its balancer holds the lease
    directive: Directive | None = None  # the newest one that it knows


_encoder = msgspec.json.Encoder()


def encode_report(report: Report) -> bytes:
    """Return `report` as the JSON object that travels through the engine."""
    return _encoder.encode(report)


decode_report = reader(msgspec.json.Decoder(Report).decode, "a report")
"""Return the report in the bytes given; raise `ProtocolError` if they cannot be read."""
