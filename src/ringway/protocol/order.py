"""Orders to nodes and requests to the balancer, over the bus (PROTOCOL.md P-9)."""

import msgspec

from ringway.protocol.decoding import reader
from ringway.protocol.owners import OwnersAnswer, OwnersRequest
from ringway.types import NodeName

BALANCER = "balancer"
"""The bus address that the leading balancer serves."""


class MoveOrder(msgspec.Struct, frozen=True, kw_only=True, tag="move"):
    """Move `count` connections to `target`, spread evenly over `within_s`."""

    fence: int  # the leader's fence; a node refuses an order below the highest fence that it has received
    target: NodeName
    count: int
    within_s: float
    owners: str = ""  # hash policies: move only keys that belong to `target` by this version of owners
    clock_s: float = 0.0  # the target's clock is so much ahead of the donor's: tickets are issued in the target's clock


class SetState(msgspec.Struct, frozen=True, kw_only=True, tag="state"):
    """Drain, by a deadline if `within_s` is given, or accept connections again."""

    draining: bool
    within_s: float = 0.0  # 0: no deadline
    avoid: tuple[NodeName, ...] = ()  # nodes that are drained next, and should get as few connections as possible


class Unreached(msgspec.Struct, frozen=True, kw_only=True, tag="unreached"):
    """The gateway has knocked at the node's URL in vain, and sends it no clients; `why` has cause and remedy."""

    gateway: NodeName
    why: str


NodeRequest = MoveOrder | SetState | Unreached


class NodeConsent(msgspec.Struct, frozen=True, kw_only=True, tag="done"):
    """The request was accepted."""


class NodeRefusal(msgspec.Struct, frozen=True, kw_only=True, tag="refused"):
    """The request was refused; `why` names the value, the rule and the remedy."""

    why: str


NodeAnswer = NodeConsent | NodeRefusal


class Rebalance(msgspec.Struct, frozen=True, kw_only=True, tag="rebalance"):
    """Balance now, also inside the dead band; with `dry_run` only return the plan."""

    dry_run: bool = False
    group: str = ""  # only this group; empty: all groups


DRAIN_WITHIN_S_MAX = 604_800.0
"""The longest time for a drain, whoever demands it: a week."""


class DrainRequest(msgspec.Struct, frozen=True, kw_only=True, tag="drain"):
    """Drain `node`, within `within_s` if that is above 0. Refused if the deadline cannot be met, unless `force`."""

    node: NodeName
    within_s: float = 0.0
    force: bool = False
    avoid: tuple[NodeName, ...] = ()  # as in `SetState`


BalancerRequest = Rebalance | DrainRequest | OwnersRequest


class DrainAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a request to drain. `why` names a sufficient rate or time; empty if the request was accepted."""

    why: str
    connections: int  # to be moved
    moves_per_s: float  # the rate of the moves
    needs_s: float  # the duration of the moves


class QuotaRow(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a plan: `count` connections from `donor` to `target`."""

    donor: NodeName
    target: NodeName
    count: int


class PlanAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The balancer's plan, for operators."""

    quotas: tuple[QuotaRow, ...]
    reason: str
    imbalance: float  # largest load per fair share, minus one
    moves_per_s: float  # the budget of the cluster
    fair: dict[NodeName, float]
    load: dict[NodeName, float]
    reconnect_window_s: float = 0.0  # the time over which the clients of a node that dies now should come back
    frozen: str = ""  # the reason why moves are forbidden now; empty: they are allowed
    groups: dict[NodeName, str] = {}  # the group of each node
    needs_s: float = 0.0  # the duration of the plan; 0: it has no moves, or a target accepts no moves now
    why: str = ""  # the reason of a refusal; empty if the request was accepted


_encoder = msgspec.json.Encoder()
_node_request = msgspec.json.Decoder(NodeRequest)
_node_answer = msgspec.json.Decoder(NodeAnswer)
_balancer_request: msgspec.json.Decoder[BalancerRequest] = msgspec.json.Decoder(BalancerRequest)
_drain_answer = msgspec.json.Decoder(DrainAnswer)
_owners_answer = msgspec.json.Decoder(OwnersAnswer)
_plan_answer = msgspec.json.Decoder(PlanAnswer)

encode = _encoder.encode
decode_node_request = reader(_node_request.decode, "a request to a node")
decode_node_answer = reader(_node_answer.decode, "a node's answer")
decode_balancer_request = reader(_balancer_request.decode, "a request to the balancer")
decode_drain_answer = reader(_drain_answer.decode, "the balancer's answer")
decode_owners_answer = reader(_owners_answer.decode, "the balancer's answer")
decode_plan_answer = reader(_plan_answer.decode, "the balancer's answer")


def node_address(name: NodeName) -> str:
    """The bus address that the node `name` serves; for a backend, that all gateways serve that hold it."""
    return f"node.{name}"


def held_address(gateway: NodeName, backend: NodeName) -> str:
    """The bus address that `gateway` serves for its own connections at `backend`."""
    return f"held.{gateway}.{backend}"
