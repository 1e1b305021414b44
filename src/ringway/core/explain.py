"""Explanation of a placement: a pick, and every node, chosen or not, with the numbers that decided.

The pick is the policy's own, over the same view, but holds no place. It is made with a copy of the policy, so that an
explanation does not use up a node's turn.
"""

from collections.abc import Iterable, Iterator
from copy import copy
from math import inf
from typing import TYPE_CHECKING

from ringway.core.clock_skew import TOLD_S, describe_skew
from ringway.core.load import LoadView, NodeLoad
from ringway.core.load.slow_start import SHARE_MAX
from ringway.core.placement.key_source import KeySource
from ringway.core.placement.keyed import Keyed
from ringway.core.placement.policy import Pick
from ringway.core.steering import Steering
from ringway.errors import NoNode
from ringway.protocol.control import NO_CLIENTS, Candidate, Explanation
from ringway.types import NodeName, NodeState

if TYPE_CHECKING:
    from random import Random

BUILDING = "the table of owners is being built: for a moment keys are placed as before, or by rendezvous hashing"

NODES = 3
"""Nodes that a gateway asks a policy for: the choice, and two alternates."""


def explain(view: LoadView, steering: Steering, key: str, rng: "Random", now: float, gateway: NodeName) -> Explanation:
    """Explain to which node a client with `key` (empty: no key) would be sent now. It changes no state of the gateway.

    `key` is the part of the request that the policy reads: the value of a parameter, of a cookie, or an address.
    """
    view.wake(now)
    policy = copy(steering.policy)
    read = steering.keys.shown(key.encode("utf-8", "surrogateescape")) if key else None
    values: dict[NodeName, float] = {}
    pick, problem = Pick((), ()), ""
    try:
        if any(node.ready and policy.value(view, node) == inf for node in view.eligible):
            policy.pick(view, read, rng, NODES)  # the policy has no state yet: this pick creates it
        values = {node.name: policy.value(view, node) for node in view.eligible}
        pick = policy.pick(view, read, rng, NODES)
    except NoNode as error:
        problem = str(error)
    look = _Look(view, pick, values, now, by_key=bool(policy.table))
    building = isinstance(policy, Keyed) and policy.building
    return Explanation(
        gateway=gateway,
        policy=str(steering.spec),
        rule=policy.rule,
        measure=policy.measure,
        key=key,
        chosen=pick.nodes[0].name if pick.nodes else NodeName(""),
        alternates=tuple(node.name for node in pick.nodes[1:]),
        candidates=tuple(look.candidates()),
        problem=problem,
        note=BUILDING if building else look.note(),
    )


def key_of_request(steering: Steering, host: str, path: str) -> str:
    """Return the key that the policy reads from the host and the path (with its query) of a request; empty for none."""
    if not steering.policy.table:
        return ""
    plain, _, query = (text.encode("utf-8", "surrogateescape").decode("latin-1") for text in path.partition("?"))
    key = steering.keys.spec.read(KeySource(host=host.encode().decode("latin-1"), path=plain, query=query))
    return "" if key is None else key.decode("utf-8", "surrogateescape")


def problems_of(nodes: Iterable[NodeLoad]) -> dict[NodeName, str]:
    """Return what is wrong with `nodes`, in sentences for operators."""
    found = {}
    for node in nodes:
        no_clients = node.doubt or (node.ejected and f"it {node.ejected}") or node.clock
        if no_clients:
            found[node.name] = NO_CLIENTS + no_clients
        elif abs(node.skew_s) > TOLD_S:
            found[node.name] = f"gets clients, but {describe_skew(node.skew_s)}; tickets allow for it"
    return found


def why_not(view: LoadView, node: NodeLoad, now: float) -> str:
    """Return the reason why `node` gets no newcomers now; empty if it may get them."""
    if node.state is not NodeState.ACTIVE:
        if node.problem:
            return f"{node.state}: {node.problem}"
        left = node.report.drain_left_s if node.report is not None else 0.0
        return f"{node.state}, for {left:,.0f} s more" if left else str(node.state)
    if node.weight_own <= 0:
        return "its weight is 0: it wants no newcomers"
    if node.weight <= 0:
        return "the weight loop has brought its weight to 0"
    if node.doubt:
        return node.doubt
    return node.barred or (_pace(view, node, now) if node.accept.paced else "")


def _pace(view: LoadView, node: NodeLoad, now: float) -> str:
    """Name the limit by which a paced node waits."""
    accept = node.accept
    share_left = accept.share_ready() - view.placed
    if share_left > 0:
        return (
            f"paced: it has had {SHARE_MAX:g} times its fair share of the latest; "
            f"its turn comes after {share_left:,.0f} more"
        )
    wait_s = accept.time_ready() - now
    if accept.interval_s and wait_s > 0:
        rate = 1.0 / accept.interval_s
        return f"paced: it is given {rate:,.1f} a second by this gateway; its turn comes in {wait_s:.2f} s"
    return "paced: its turn comes with the next client"


class _Look:
    """Describes each node after a pick."""

    def __init__(self, view: LoadView, pick: Pick, values: dict[NodeName, float], now: float, *, by_key: bool) -> None:
        self._view = view
        self._chosen = pick.nodes[0] if pick.nodes else None
        self._nodes = pick.nodes
        self._order = {node: number for number, node in enumerate(pick.compared)}
        self._values = values
        self._now = now
        self._by_key = by_key

    def candidates(self) -> Iterator[Candidate]:
        """Yield the nodes whose value decided, in the order of the policy; then the remaining nodes by name."""
        others = (node for node in self._view.nodes.values() if node not in self._order)
        for node in (*self._order, *sorted(others, key=lambda node: node.name)):
            yield self._candidate(node)

    def note(self) -> str:
        """Return the notes about the present state of the cluster."""
        if self._chosen is not None and not any(node.ready for node in self._view.eligible):
            return "every node that may take clients has had enough for the moment; whose turn comes first is taken"
        if self._view.panic:
            return "half of the nodes or more were not heard, so this gateway doubts its own ears: ages are ignored"
        return ""

    def _candidate(self, node: NodeLoad) -> Candidate:
        reason = why_not(self._view, node, self._now)
        taken = node is self._chosen  # maybe a paced node: if no other node is free, or turns and keys decide
        value = self._values.get(node.name, inf)
        age_s = self._now - node.heard_at if self._view.ages else 0.0
        return Candidate(
            node=node.name,
            state=str(node.state),
            eligible=taken or not reason,
            why_not="" if taken else reason,
            note="; ".join(self._remarks(node, reason, age_s)),
            compared=node in self._order,
            value=None if value == inf else value,
            connections=node.connections,
            pending=node.pending,
            held_here=node.own,
            held_elsewhere=node.others,
            load=node.load,
            weight=node.weight_own,
            trim=node.trim,
            connections_max=node.report.connections_max if node.report is not None else 0,
            report_age_s=age_s,
        )

    def _remarks(self, node: NodeLoad, reason: str, age_s: float) -> Iterator[str]:
        """Yield the facts about an eligible node that explain why it was chosen or not."""
        if node is self._chosen and reason:
            yield reason
        if node.inflation > 1.0:
            yield f"its report is {age_s:.1f} s old: its load counts {node.inflation:.2f} times"
        if self._by_key and node.ready and node in self._order and node not in self._nodes:
            earlier = self._chosen in self._order and self._order[node] < self._order[self._chosen]
            yield "comes earlier in the key's order, but is at its cap" if earlier else "is at its cap"
