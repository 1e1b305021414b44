"""Requests of operators to a gateway over the bus, and its answers (PROTOCOL.md P-9.4)."""

import heapq
from collections.abc import Iterable

import msgspec

from ringway.protocol.decoding import reader
from ringway.protocol.directive import Directive
from ringway.protocol.order import NodeRefusal, QuotaRow
from ringway.types import NodeName

GATEWAYS = "gateways"
"""The bus address that every gateway serves; `Bus.gather` reaches all of them."""


class Explain(msgspec.Struct, frozen=True, kw_only=True, tag="explain"):
    """Choose a node as for a client with `key`, hold no place, and say why that one."""

    key: str = ""  # empty: a client without a key


class GetDirective(msgspec.Struct, frozen=True, kw_only=True, tag="directive"):
    """Say which policy and which directive you follow."""


class SetDirective(msgspec.Struct, frozen=True, kw_only=True, tag="set"):
    """Follow this directive from now on, and tell it on in your reports."""

    directive: Directive


class ListDecisions(msgspec.Struct, frozen=True, kw_only=True, tag="decisions"):
    """Say what your balancer has decided, the newest first."""

    count: int = 20


GatewayRequest = Explain | GetDirective | SetDirective | ListDecisions


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """One node, as a pick saw it."""

    node: NodeName
    state: str
    eligible: bool  # whether it could have been chosen
    why_not: str = ""
    note: str = ""  # notes about an eligible node
    compared: bool = False  # whether its value decided
    value: float | None = None  # the compared number; the smallest wins. None: infinite, it may take no client
    connections: int = 0
    pending: int = 0
    held_here: int = 0  # places that this gateway holds there
    held_elsewhere: int = 0
    load: int = 0  # the sum of these four
    weight: float = 1.0  # as the node reports it
    trim: float = 1.0  # the factor of the weight loop
    connections_max: int = 0
    report_age_s: float = 0.0


class Explanation(msgspec.Struct, frozen=True, kw_only=True, tag="explanation"):
    """Why a client would be sent where."""

    gateway: NodeName
    policy: str  # short form
    rule: str
    measure: str  # what `value` is
    key: str = ""
    chosen: NodeName = NodeName("")  # empty if nobody could be: `problem` says why
    alternates: tuple[NodeName, ...] = ()
    candidates: tuple[Candidate, ...] = ()  # first the nodes whose value decided, in the order of the policy
    problem: str = ""
    note: str = ""  # notes about the present state of the cluster


class DirectiveAnswer(msgspec.Struct, frozen=True, kw_only=True, tag="directive"):
    """The directive that a gateway follows. `problem`: why it cannot follow a new one; then it keeps the old one."""

    gateway: NodeName
    policy: str  # short form of the one in force
    configured: str = ""  # short form of its own setting
    directive: Directive
    problem: str = ""


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """One plan of a balancer: its input, its moves with the reason, and its outcome."""

    number: int
    gateway: NodeName = NodeName("")
    at: float  # Unix time
    cause: str  # "drain", "imbalance", "keys", "asked" (by an operator)
    reason: str
    policy: str = ""
    load: dict[NodeName, int] = msgspec.field(default_factory=dict)  # of each node, moves under way as arrived
    fair: dict[NodeName, float] = msgspec.field(default_factory=dict)
    quotas: tuple[QuotaRow, ...] = ()
    planned: int = 0
    ordered: int = 0
    seconds: float = 0.0  # from the plan to its end, or to now
    outcome: str = "under way"  # "done", "superseded", "frozen: why", "leadership lost"


class Decisions(msgspec.Struct, frozen=True, kw_only=True, tag="decisions"):
    """The decisions of one gateway's balancer, the newest first."""

    decisions: tuple[Decision, ...] = ()


GatewayAnswer = Explanation | DirectiveAnswer | Decisions | NodeRefusal
"""`NodeRefusal`: the request was not understood."""

encode = msgspec.json.Encoder().encode
_gateway_request: msgspec.json.Decoder[GatewayRequest] = msgspec.json.Decoder(GatewayRequest)
_gateway_answer: msgspec.json.Decoder[GatewayAnswer] = msgspec.json.Decoder(GatewayAnswer)
decode_gateway_request = reader(_gateway_request.decode, "a request to a gateway")
decode_gateway_answer = reader(_gateway_answer.decode, "a gateway's answer")


def gateway_address(name: NodeName) -> str:
    """The bus address that the gateway `name` alone serves."""
    return f"gateway.{name}"


def newest(decisions: Iterable[Decision], count: int) -> list[Decision]:
    """Return the `count` newest of `decisions`, of one gateway or of several, the newest first."""
    return heapq.nlargest(
        max(0, count), decisions, key=lambda decision: (decision.at, decision.gateway, decision.number)
    )
