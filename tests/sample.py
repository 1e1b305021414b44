"""Short ways to make the values that tests of the pure core are about."""

from collections.abc import Mapping
from random import Random
from typing import Any

from ringway.core.group import Groups, steer_by_default
from ringway.core.load import LoadView, NodeLoad
from ringway.core.placement import catalog
from ringway.core.placement.catalog import POLICIES
from ringway.core.placement.policy import Policy
from ringway.core.steering import Steering
from ringway.protocol.report import Report
from ringway.types import Incarnation, Issuer, NodeName, NodeState, Role

GATEWAY = Issuer("aaaaaaaa")

SPECS = [name if name != "score" else "score:call=sample:fullness" for name in POLICIES]
"""Every policy, with the options that it is nothing without. `make_policy` makes them."""


def fullness(node: NodeLoad, view: LoadView) -> float:
    """A score as somebody would write one."""
    return (node.load + 1) / node.weight


def make_policy(spec: str, secret: bytes) -> Policy:
    """Return the policy that `spec` names; the policy `score` calls `fullness`."""
    return catalog.make_policy(spec, secret, lambda call: fullness)


def name(index: int) -> NodeName:
    return NodeName(f"n{index}")


def incarnation(index: int) -> Incarnation:
    return Incarnation(f"{index:08x}")


def node_report(node: str, seq: int = 1, life: int = 1, *, draining: bool = False, **fields: Any) -> Report:
    """Return the report of a node: its `seq`-th in its `life`-th life."""
    return Report(
        name=NodeName(node),
        incarnation=Incarnation(f"{abs(hash_of(node)) % 0xFFFF:04x}{life:04x}"),
        role=Role.NODE,
        seq=seq,
        url=f"ws://{node}",
        state=NodeState.DRAINING if draining else NodeState.ACTIVE,
        **fields,
    )


def gateway_report(gateway: str, seq: int = 1, life: int = 1, **fields: Any) -> Report:
    """Return the report of a gateway."""
    life_id = Incarnation(f"{abs(hash_of(gateway)) % 0xFFFF:04x}{life:04x}")
    return Report(name=NodeName(gateway), incarnation=life_id, role=Role.GATEWAY, seq=seq, url="", **fields)


def hash_of(text: str) -> int:
    """A number that depends on `text` alone; `hash()` differs from process to process."""
    return int.from_bytes(text.encode()[-8:], "big") * 2_654_435_761 >> 7


def view_of(weights: Mapping[str, float], *, loads: Mapping[str, int] | None = None) -> LoadView:
    """Return a view of active nodes with these weights and reported connections."""
    view = LoadView(GATEWAY)
    for node, weight in weights.items():
        view.reported(node_report(node, weight=weight, connections=(loads or {}).get(node, 0)), 0.0)
    return view


def groups_of(weights: Mapping[str, float], steering: Steering | None = None) -> Groups:
    """Return groups whose channel nodes are active nodes with these weights; all are steered by `steering`."""
    groups = Groups(GATEWAY, steer_by_default if steering is None else lambda name: steering)
    for node, weight in weights.items():
        groups.reported(node_report(node, weight=weight), 0.0)
    return groups


def equal(count: int) -> dict[str, float]:
    """Weights of `count` equal nodes."""
    return {name(index): 1.0 for index in range(count)}


def rng(seed: int = 1) -> Random:
    return Random(seed)
