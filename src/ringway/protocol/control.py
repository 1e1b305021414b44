"""Requests of operators to a gateway over the bus, and its answers (PROTOCOL.md P-9.4)."""

import heapq
from collections.abc import Iterable

import msgspec

from ringway.protocol.decoding import reader
from ringway.protocol.directive import Directive
from ringway.protocol.group import DEFAULT
from ringway.protocol.order import NodeRefusal, QuotaRow
from ringway.protocol.seal import SealFault
from ringway.types import NodeName

GATEWAYS = "gateways"
"""The bus address that every gateway serves; `Bus.gather` reaches all of them."""


class Explain(msgspec.Struct, frozen=True, kw_only=True, tag="explain"):
    """Choose a node for a client with `key`, hold no place, and return the reasons."""

    key: str = ""  # empty: a client without a key
    group: str = ""  # of this group; empty: of the group to which the gateway's routes lead from `host` and `path`
    host: str = ""
    path: str = ""  # empty: the channel nodes' if there are any, otherwise /


class GetDirective(msgspec.Struct, frozen=True, kw_only=True, tag="directive"):
    """Return the policy and the directive that the gateway follows."""


class SetDirective(msgspec.Struct, frozen=True, kw_only=True, tag="set"):
    """Follow this directive from now on, and pass it on in the gateway's reports."""

    directive: Directive


class ListDecisions(msgspec.Struct, frozen=True, kw_only=True, tag="decisions"):
    """Return the decisions of the gateway's balancer, the newest first."""

    count: int = 20


class ListProblems(msgspec.Struct, frozen=True, kw_only=True, tag="problems"):
    """Say what is wrong with nodes, in your view."""


GatewayRequest = Explain | GetDirective | SetDirective | ListDecisions | ListProblems


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """One node in a pick."""

    node: NodeName
    state: str
    eligible: bool  # True if it could have been chosen
    why_not: str = ""
    note: str = ""  # notes about an eligible node
    compared: bool = False  # True if its value was compared
    value: float | None = None  # the compared number; the smallest wins. None: infinite, it may get no client
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
    """The placement of a client, with its reasons."""

    gateway: NodeName
    group: str = DEFAULT
    groups: tuple[str, ...] = ()  # all groups that the gateway knows
    policy: str  # short form
    rule: str
    measure: str  # the meaning of `value`
    key: str = ""
    chosen: NodeName = NodeName("")  # empty if no node could be chosen: `problem` says why
    alternates: tuple[NodeName, ...] = ()
    candidates: tuple[Candidate, ...] = ()  # first the nodes whose value decided, in the order of the policy
    problem: str = ""
    note: str = ""  # notes about the present state of the cluster


class GroupPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """The policy of one group at a gateway, and what operators have decided for it."""

    group: str
    policy: str  # short form of the policy in force
    configured: str  # short form of the policy by the gateway's own setting
    moving: bool  # True if connections that the policy places elsewhere are moved
    frozen: str  # the reason why its moves are frozen; empty: they are not


class DirectiveAnswer(msgspec.Struct, frozen=True, kw_only=True, tag="directive"):
    """The directive that a gateway follows. `problem`: the reason for not following a new one.

    `policy` and `configured` are those of the default group; `groups` has each group that the gateway knows.
    """

    gateway: NodeName
    policy: str  # short form of the policy in force
    configured: str = ""  # short form of the gateway's own setting
    directive: Directive
    problem: str = ""
    groups: tuple[GroupPolicy, ...] = ()


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """One plan of a balancer: its input, its moves with the reason, and its outcome."""

    number: int
    gateway: NodeName = NodeName("")
    group: str = DEFAULT  # the group whose connections are moved
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
    outcome: str = (
        "under way"  # "done", "superseded: why", "frozen: why", "leadership lost", or done as "2 reconnected"
    )
    # the clients that were moved since it began, by what became of them (docs/explain/moves.md)
    handed_over: int = 0
    reconnected: int = 0
    lost: int = 0
    apart: int = 0


class Decisions(msgspec.Struct, frozen=True, kw_only=True, tag="decisions"):
    """The decisions of one gateway's balancer, the newest first."""

    decisions: tuple[Decision, ...] = ()


class StrangerRow(msgspec.Struct, frozen=True, kw_only=True):
    """A name under which messages come that are not believed."""

    name: NodeName
    fault: SealFault
    problem: str  # the fault of its messages, and the remedy


NO_CLIENTS = "gets no clients: "
"""The beginning of each problem of a node that keeps clients away."""


class MovePause(msgspec.Struct, frozen=True, kw_only=True):
    """The reason why no moves of one group are ordered now."""

    group: str
    why: str  # a sentence
    is_frozen: bool  # True: an operator or the guard has frozen moves; False: the members have changed a moment ago


def choose_pauses(pauses: Iterable[MovePause]) -> dict[str, MovePause]:
    """Return the pause to show of each group, by its name, of those that several gateways tell.

    A freeze counts before a wait. The leader also tells of its guard, and of groups that settle.
    """
    chosen: dict[str, MovePause] = {}
    for pause in sorted(pauses, key=lambda pause: not pause.is_frozen):
        chosen.setdefault(pause.group, pause)
    return {group: chosen[group] for group in sorted(chosen)}


class NodeProblems(msgspec.Struct, frozen=True, kw_only=True, tag="problems"):
    """The problems of nodes in the view of one gateway, in sentences with their remedies."""

    gateway: NodeName
    problems: dict[NodeName, str] = msgspec.field(default_factory=dict)  # only nodes that have a problem
    strangers: tuple[StrangerRow, ...] = ()  # members that it does not believe
    pauses: tuple[MovePause, ...] = ()  # by its balancer, if that leads; otherwise by what operators have frozen


GatewayAnswer = Explanation | DirectiveAnswer | Decisions | NodeProblems | NodeRefusal
"""`NodeRefusal`: the request was not understood."""

encode = msgspec.json.Encoder().encode
_gateway_request: msgspec.json.Decoder[GatewayRequest] = msgspec.json.Decoder(GatewayRequest)
_gateway_answer: msgspec.json.Decoder[GatewayAnswer] = msgspec.json.Decoder(GatewayAnswer)
decode_gateway_request = reader(_gateway_request.decode, "a request to a gateway")
decode_gateway_answer = reader(_gateway_answer.decode, "a gateway's answer")


def gateway_address(name: NodeName) -> str:
    """The bus address that only the gateway `name` serves."""
    return f"gateway.{name}"


def newest(decisions: Iterable[Decision], count: int) -> list[Decision]:
    """Return the `count` newest of `decisions`, of one gateway or of several, the newest first."""
    return heapq.nlargest(
        max(0, count), decisions, key=lambda decision: (decision.at, decision.gateway, decision.number)
    )
