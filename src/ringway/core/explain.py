"""Why a client would be sent where: a pick, and beside it every node, chosen or not, with the numbers that decided.

The pick is the policy's own, over the same view; only no place is held. It is made with a copy of the policy, so that
being asked costs nobody a turn.
"""

from copy import copy
from math import inf
from typing import TYPE_CHECKING

from ringway.core.accept import SHARE_MAX
from ringway.core.load import LoadView, NodeLoad
from ringway.core.placement import Pick, Policy
from ringway.core.steering import Steering
from ringway.errors import NoNode
from ringway.protocol.control import Candidate, Explanation
from ringway.types import NodeName, NodeState

if TYPE_CHECKING:
    from random import Random

NODES = 3
"""As many as a gateway asks a policy for: the choice, and two where it fails."""


def explain(view: LoadView, steering: Steering, key: str, rng: "Random", now: float, gateway: NodeName) -> Explanation:
    """Say where a client with `key` (empty: without one) would be sent now, and why. Changes nothing that counts.

    `key` is what the client has where the policy looks for it: the value of a parameter, of a cookie, an address.
    """
    view.wake(now)
    policy = copy(steering.policy)
    read = steering.keys.shown(key.encode("utf-8", "surrogateescape")) if key else None
    values: dict[NodeName, float] = {}
    pick, problem = Pick((), ()), ""
    try:
        if any(node.ready and policy.value(view, node) == inf for node in view.eligible):
            policy.pick(view, read, rng, NODES)  # it has not met them yet: by this pick it does
        values = {node.name: policy.value(view, node) for node in view.eligible}
        pick = policy.pick(view, read, rng, NODES)
    except NoNode as error:
        problem = str(error)
    compared = list(pick.compared)
    others = sorted((node for node in view.nodes.values() if node not in compared), key=lambda node: node.name)
    return Explanation(
        gateway=gateway,
        policy=str(steering.spec),
        rule=policy.rule,
        measure=policy.measure,
        key=key,
        chosen=pick.nodes[0].name if pick.nodes else NodeName(""),
        alternates=tuple(node.name for node in pick.nodes[1:]),
        candidates=tuple(
            _candidate(view, policy, node, pick, values.get(node.name, inf), now) for node in (*compared, *others)
        ),
        problem=problem,
        note=_note(view, pick),
    )


def why_not(view: LoadView, node: NodeLoad, now: float) -> str:
    """Return why `node` is not given anybody now; empty where it may be."""
    if node.state is not NodeState.ACTIVE:
        left = node.report.drain_left_s if node.report is not None else 0.0
        return f"{node.state}, for {left:,.0f} s more" if left else str(node.state)
    if node.weight_own <= 0:
        return "its weight is 0: it wants no newcomers"
    if node.weight <= 0:
        return "the weight loop has brought its weight to 0"
    return node.barred or (_pace(view, node, now) if node.accept.paced else "")


def _pace(view: LoadView, node: NodeLoad, now: float) -> str:
    """Say which limit lets a paced node wait."""
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


def _candidate(view: LoadView, policy: Policy, node: NodeLoad, pick: Pick, value: float, now: float) -> Candidate:
    reason = why_not(view, node, now)
    taken = node in pick.nodes[:1]  # also one that is paced, where no other can be had or where turns and keys decide
    age_s = now - node.heard_at if view.ages else 0.0
    return Candidate(
        node=node.name,
        state=str(node.state),
        eligible=taken or not reason,
        why_not="" if taken else reason,
        note=_remark(policy, node, pick, reason, age_s),
        compared=node in pick.compared,
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


def _remark(policy: Policy, node: NodeLoad, pick: Pick, reason: str, age_s: float) -> str:
    """What must be known of a node that may be chosen to understand why it was, or was not."""
    remarks = [reason] if reason and node in pick.nodes[:1] else []
    if node.inflation > 1.0:
        remarks.append(f"its report is {age_s:.1f} s old: its load counts {node.inflation:.2f} times")
    if policy.table and pick.nodes and node.ready and node in pick.compared and node not in pick.nodes:
        compared = list(pick.compared)
        earlier = compared.index(node) < compared.index(pick.nodes[0])
        remarks.append("comes earlier in the key's order, but is at its cap" if earlier else "is at its cap")
    return "; ".join(remarks)


def _note(view: LoadView, pick: Pick) -> str:
    if pick.nodes and not any(node.ready for node in view.eligible):
        return "every node that may take clients has had enough for the moment; the one whose turn comes first is taken"
    if view.panic:
        return "half of the nodes or more were not heard, so this gateway doubts its own ears: ages are ignored"
    return ""
