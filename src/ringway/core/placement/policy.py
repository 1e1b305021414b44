"""Policy: the port of all placement policies, and what they share."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, NamedTuple, Protocol

import msgspec

from ringway.core.load import LoadView, NodeLoad
from ringway.errors import NoNode
from ringway.types import NodeState

if TYPE_CHECKING:
    from random import Random


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The options of a policy without any; other policies derive theirs, each field with bounds and description."""


class Pick(NamedTuple):
    """The choice of a policy for one connection, and the nodes that it was made from."""

    nodes: Sequence[NodeLoad]
    """Distinct nodes, the choice first; the others are alternates if it fails. Never empty."""

    compared: Sequence[NodeLoad]
    """The nodes whose numbers decided: the drawn ones, or all nodes, or a key's nodes in order."""


class Policy(Protocol):
    """Chooses nodes. It may have state between picks; never the load, which belongs to the view."""

    name: ClassVar[str]
    options_type: ClassVar[type[Options]]

    @property
    def rule(self) -> str:
        """How it chooses, in a sentence: for `ringway explain`."""
        ...

    @property
    def measure(self) -> str:
        """What `value` is, in words or as a formula."""
        ...

    @property
    def table(self) -> str:
        """The name of the table of key owners (`core.hashing`), if a change of members changes owners; else ''."""
        ...

    def pick(self, view: LoadView, key: bytes | None, rng: "Random", count: int) -> Pick:
        """Choose among the eligible nodes of `view`, which is awake (`LoadView.wake`); up to `count` nodes.

        Barred nodes are never chosen; paced nodes only if no other node can be had (`last_resort`). Raise `NoNode` if
        no node may take a client.
        """
        ...

    def value(self, view: LoadView, node: NodeLoad) -> float:
        """The number of `node` that is compared, the smallest wins; for `ringway explain`, so it may take its time."""
        ...


def last_resort(view: LoadView, count: int) -> Pick:
    """Choose among the paced nodes, since no node is open, in proportion to their capacity (`core.load.slow_start`).

    Raise `NoNode`, with the reason of each node, if all nodes are barred or there is no node.
    """
    best = None
    takers = view.takers()
    for node in takers:
        if best is None or (node.accept.finish, node.turn) < (best.accept.finish, best.turn):
            best = node
    if best is None:
        raise no_node(view)
    return Pick([best, *_around(takers, takers.index(best), [best], count - 1)], takers)


def no_node(view: LoadView) -> NoNode:
    """The error that says why nobody can be placed."""
    more = "start another with `ringway node`" if view.ages else "add another with --backend"
    if not view.nodes:
        return NoNode("no node is known; start one with `ringway node`")
    if not view.eligible:
        return NoNode(why_none(view))
    first = view.eligible[0]
    others = f", and {len(view.eligible) - 1} more take nobody either" if len(view.eligible) > 1 else ""
    return NoNode(f"{first.name} {first.barred}{others}; {more}")


def why_none(view: LoadView) -> str:
    """Return why no node is eligible, each reason with its remedy; empty if a node is."""
    if view.eligible:
        return ""
    nodes = view.nodes.values()
    if not nodes:
        return "no node is known"
    nodes_down = [node for node in nodes if node.state is NodeState.DOWN]
    reasons = [_why_down(nodes_down)]
    draining = sum(node.state is NodeState.DRAINING for node in nodes)
    if draining:
        reasons.append(f"{draining} nodes are draining; take one back with `ringway undrain`")
    idle = sum(node.state is NodeState.ACTIVE for node in nodes)
    if idle:
        reasons.append(f"{idle} nodes have a weight of 0; raise the weight of one")
    said = [reason for reason in reasons if reason]
    if len(nodes) == 1 and nodes_down:
        return f"the {said[0]}"
    return f"all {said[0]}" if len(said) == 1 else "nobody can be placed: " + "; ".join(said)


SHOWN_MAX = 3
"""Backends that are named together with their problem."""


def _why_down(nodes: Sequence[NodeLoad]) -> str:
    if not nodes:
        return ""
    told = ", ".join(f"{node.name}: {node.problem or 'its check fails'}" for node in nodes[:SHOWN_MAX])
    if len(nodes) == 1:
        return f"one backend fails its check ({told})"
    return f"{len(nodes)} backends fail their check ({told}{', ...' if len(nodes) > SHOWN_MAX else ''})"


def with_alternates(view: LoadView, ranked: Sequence[NodeLoad], count: int, rng: "Random") -> Sequence[NodeLoad]:
    """Return `count` nodes, or as many as there are: `ranked`, then other nodes that are not barred.

    These are used if the first fails. They are neighbours by name, from a random one on: random nodes share the clients
    of a node that fails; the next best node would get all of them.
    """
    missing = count - len(ranked)
    if missing <= 0:
        return ranked[:count]
    takers = view.takers()
    return [*ranked, *_around(takers, int(rng.random() * len(takers)), ranked, missing)]


def _around(nodes: Sequence[NodeLoad], start: int, without: Sequence[NodeLoad], count: int) -> list[NodeLoad]:
    """Return up to `count` nodes, but those in `without`, from the index `start` on and around."""
    found: list[NodeLoad] = []
    size = len(nodes)
    for index in range(start, start + size):
        if len(found) >= count:
            break
        node = nodes[index - size if index >= size else index]
        if node not in without:
            found.append(node)
    return found
