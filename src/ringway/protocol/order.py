"""Orders to nodes and requests to the balancer, over the bus (PROTOCOL.md P-9)."""

import msgspec

from ringway.protocol.decoding import reader
from ringway.types import NodeName

BALANCER = "balancer"
"""The bus address that the leading balancer serves."""


class Owners(msgspec.Struct, frozen=True, kw_only=True):
    """The owners of keys, for hash policies: a table of nodes and weights, and the weights before."""

    table: str  # "rendezvous", "ring" or "maglev" (core.hashing)
    weights: dict[NodeName, float]
    before: dict[NodeName, float] | None = None  # only keys whose owner has changed since these weights count


class MoveOrder(msgspec.Struct, frozen=True, kw_only=True, tag="move"):
    """Move `count` connections to `target`, spread evenly over `within_s`."""

    fence: int  # the leader's; a node refuses one below the highest it has seen
    target: NodeName
    count: int
    within_s: float
    owners: Owners | None = None  # hash policies: move only keys that belong to `target`


class CountMisplaced(msgspec.Struct, frozen=True, kw_only=True, tag="misplaced"):
    """Say how many of your keyed connections belong to each other node."""

    owners: Owners


class SetState(msgspec.Struct, frozen=True, kw_only=True, tag="state"):
    """Drain, by a deadline if `within_s` is given, or take connections again."""

    draining: bool
    within_s: float = 0.0  # 0: no deadline
    avoid: tuple[NodeName, ...] = ()  # nodes that are to be drained next: to be given as few as can be


NodeRequest = MoveOrder | CountMisplaced | SetState


class NodeConsent(msgspec.Struct, frozen=True, kw_only=True, tag="done"):
    """The request was taken."""

    misplaced: dict[NodeName, int] = msgspec.field(default_factory=dict)


class NodeRefusal(msgspec.Struct, frozen=True, kw_only=True, tag="refused"):
    """The request was not taken; `why` names the value, the rule and the remedy."""

    why: str


NodeAnswer = NodeConsent | NodeRefusal


class Rebalance(msgspec.Struct, frozen=True, kw_only=True, tag="rebalance"):
    """Balance now, also inside the dead band; with `dry_run` only return the plan."""

    dry_run: bool = False


class DrainRequest(msgspec.Struct, frozen=True, kw_only=True, tag="drain"):
    """Drain `node`, within `within_s` if that is above 0. Refused if the deadline cannot be met, unless `force`."""

    node: NodeName
    within_s: float = 0.0
    force: bool = False
    avoid: tuple[NodeName, ...] = ()  # as in `SetState`


BalancerRequest = Rebalance | DrainRequest


class DrainAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a request to drain. `why` names the rate or the time that would do; empty if it was taken."""

    why: str
    connections: int  # to be moved
    moves_per_s: float  # how fast they will be
    needs_s: float  # how long that takes


class QuotaRow(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a plan: so many connections from `donor` to `target`."""

    donor: NodeName
    target: NodeName
    count: int


class PlanAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The balancer's plan as a reader wants it."""

    quotas: tuple[QuotaRow, ...]
    reason: str
    imbalance: float  # largest load per fair share, minus one
    moves_per_s: float
    fair: dict[NodeName, float]
    load: dict[NodeName, float]
    reconnect_window_s: float = 0.0  # how long the clients of a node that dies now should take to come back
    frozen: str = ""  # why nobody is moved now; empty: they are


_encoder = msgspec.json.Encoder()
_node_request = msgspec.json.Decoder(NodeRequest)
_node_answer = msgspec.json.Decoder(NodeAnswer)
_balancer_request: msgspec.json.Decoder[BalancerRequest] = msgspec.json.Decoder(BalancerRequest)
_drain_answer = msgspec.json.Decoder(DrainAnswer)
_plan_answer = msgspec.json.Decoder(PlanAnswer)

encode = _encoder.encode
decode_node_request = reader(_node_request.decode, "a request to a node")
decode_node_answer = reader(_node_answer.decode, "a node's answer")
decode_balancer_request = reader(_balancer_request.decode, "a request to the balancer")
decode_drain_answer = reader(_drain_answer.decode, "the balancer's answer")
decode_plan_answer = reader(_plan_answer.decode, "the balancer's answer")


def node_address(name: NodeName) -> str:
    """The bus address that the node `name` serves."""
    return f"node.{name}"
