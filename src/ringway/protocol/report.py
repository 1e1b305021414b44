"""Reports: the state of a member as it describes itself, each second and whenever it changes (PROTOCOL.md P-8.3).

Reports are the only source of membership and load. A silent member is gone; reports are not stored. On the wire a
report is an introduction, which contains everything, or a beat (`protocol.beat`), which contains what has changed
since an introduction.
"""

from typing import Annotated

import msgspec

from ringway.protocol.backend_share import BackendClaim, BackendShare
from ringway.protocol.count import Count
from ringway.protocol.decoding import reader
from ringway.protocol.directive import Directive
from ringway.protocol.group import CHANNELS, DEFAULT
from ringway.types import Incarnation, Issuer, NodeName, NodeState, Role

Fence = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
"""A fencing number: on NATS the time of its stream in nanoseconds."""


class Report(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The state of one member in its own view. Counters grow from the start of the incarnation."""

    name: NodeName
    incarnation: Incarnation
    role: Role
    seq: int  # the number of its sealed message; an older one that arrives late is dropped
    wire_min: Count = 2  # the wire versions that the member reads; left out, they are those of the first sealed version
    wire_max: Count = 2
    url: str  # the URL for members: the gateway's proxy connects here
    public_url: str = ""  # the URL for clients, if different from `url`
    version: str = ""
    admin_url: str = ""
    engine_up: bool = True
    secrets: tuple[str, ...] = ()  # fingerprints of the cluster's secrets: the one that it signs with, then the others

    # of a node: its connections and its capacity
    weight: Annotated[float, msgspec.Meta(ge=0)] = 1.0  # 0: it gets no new connections
    zone: str = ""
    state: NodeState = NodeState.ACTIVE
    connections: Count = 0
    pending: Count = 0  # handshakes and connect commands under way
    connections_max: Count = 0  # the most connections that it accepts; 0: unknown
    cooling: Count = 0  # connections that it will not move now: moved here a short while ago, or pinned
    cool_down_s: float = 0.0  # the time for which it moves no connection again; of a gateway: at its backends
    drain_left_s: float = 0.0  # while it drains by a deadline: the time that is left
    drain_avoid: tuple[NodeName, ...] = ()  # while it drains: nodes that drain next, and get as few clients as possible
    accept_per_s: float = 0.0  # handshakes a second that it can serve, measured
    handshake_p99_s: float = 0.0  # from accepting a connection to answering its handshake; 0: no recent handshake
    utilisation: dict[str, float] = msgspec.field(
        default_factory=dict
    )  # by resource (cpu, memory, ...): 1 is as much as is healthy
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

    # the keys of its clients that other nodes own (core.balance.keys)
    counted: str = ""  # the version of owners by which it has counted; empty: it has not
    misplaced: dict[NodeName, Count] = msgspec.field(default_factory=dict)  # the number of keys by their owner

    # outcomes of moves (core.move_outcomes); counters
    handed_over: Count = 0  # sessions of other nodes that go on here, with their clients
    reconnected: Count = 0  # clients that were told to reconnect, and come without their session
    lost: Count = 0  # clients that ended during the move, before their session had arrived
    apart: Count = 0  # sessions that arrived here, and for which no client came in time

    # of a gateway alone
    leading: bool = False  # its balancer holds the lease
    directive: Directive | None = None  # the newest directive that it has received
    fence: Fence = 0  # the highest fencing number that it knows
    nodes: Count = 0  # the number of living nodes that it knows
    takers: Count = 0  # the number of these that accept newcomers
    coming: dict[NodeName, Count] = msgspec.field(default_factory=dict)  # places held at draining nodes, by all members
    owners: str = ""  # the version of owners by which nodes are to count their misplaced keys; empty: they are not
    group_owners: dict[str, str] = {}  # the same for backends, by group; groups that are not to count are left out
    wire_common: Count = 0  # the highest wire version that all members read which it hears; 0: unknown
    gone: tuple[NodeName, ...] = ()  # nodes that left within the last seconds
    backends: dict[NodeName, BackendClaim] = {}  # the backends that it knows by sources of its own
    held: dict[NodeName, BackendShare] = {}  # its connections at each backend

    # of a backend, whose report is made where gateways are heard (core.held_nodes); never on the wire
    is_backend: bool = False
    holders: tuple[NodeName, ...] = ()  # the gateways that report for it
    leaving: Count = 0  # connections that are still here, and count at the targets of their moves already
    group: str = ""  # as its source says; empty: the default group (protocol.group)


def group_of(node: Report) -> str:
    """Return the name of the group of a node."""
    return (node.group or DEFAULT) if node.is_backend else CHANNELS


def count_present(report: Report) -> int:
    """Return the number of connections that end if the node ends now: the staying and the leaving ones."""
    return report.connections + report.leaving


INTRODUCTION, BEAT, LEAVE = 1, 2, 3
"""The kinds of sealed messages for the purpose "report": a whole report; a beat; the member leaves, without a body."""

encode_introduction = msgspec.msgpack.Encoder().encode
"""Return a report as the MessagePack map that is the body of an introduction."""

decode_introduction = reader(msgspec.msgpack.Decoder(Report).decode, "a report")
"""Return the report in the body given; raise `ProtocolError` if it cannot be read."""
