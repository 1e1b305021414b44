"""Policy: the port of all placement policies, and what they share."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, NamedTuple, Protocol

import msgspec

from ringway.core.load import LoadView, NodeLoad
from ringway.errors import NoNode
from ringway.protocol.group import DEFAULT
from ringway.types import NodeState

if TYPE_CHECKING:
    from random import Random


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The base of all policies' options, without fields. A field of a derived class has bounds and a description."""


class Pick(NamedTuple):
    """The choice of a policy for one connection, and the nodes that were compared."""

    nodes: Sequence[NodeLoad]
    """Distinct nodes: the choice, then the alternates if it fails. Never empty."""

    compared: Sequence[NodeLoad]
    """The nodes whose numbers decided: the drawn nodes, or all nodes, or a key's nodes in order."""


class Policy(Protocol):
    """Chooses nodes. It may have state between picks; never the load, which belongs to the view."""

    name: ClassVar[str]
    options_type: ClassVar[type[Options]]

    @property
    def rule(self) -> str:
        """The rule of the choice, in a sentence: for `ringway explain`."""
        ...

    @property
    def measure(self) -> str:
        """The meaning of `value`, in words or as a formula."""
        ...

    @property
    def table(self) -> str:
        """The name of the table of key owners (`core.hashing`), if a change of members changes owners; '' if not."""
        ...

    def pick(self, view: LoadView, key: bytes | None, rng: "Random", count: int) -> Pick:
        """Choose among the eligible nodes of `view`, which is awake (`LoadView.wake`); up to `count` nodes.

        Barred nodes are never chosen; paced nodes only if no node is ready (`last_resort`). Raise `NoNode` if no node
        may get a client.
        """
        ...

    def value(self, view: LoadView, node: NodeLoad) -> float:
        """The number by which `node` is compared: the smallest wins. For `ringway explain`, so it need not be fast."""
        ...


def last_resort(view: LoadView, count: int) -> Pick:
    """Choose among the paced nodes, since no node is ready, in proportion to their capacity (`core.load.slow_start`).

    Raise `NoNode`, with the reason of each node, if all nodes are barred or the view is empty.
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
    """The error that says why no client can be placed."""
    backends = any(node.is_backend for node in view.nodes.values())
    more = "add another with --backend" if backends else "start another with `ringway node`"
    if not view.nodes:
        remedy = "" if view.group else "; start one with `ringway node`"
        return NoNode(_nobody(view) + remedy)
    if not view.eligible:
        return NoNode(why_none(view))
    first = view.eligible[0]
    others = f", and {len(view.eligible) - 1} more take nobody either" if len(view.eligible) > 1 else ""
    return NoNode(f"{first.name} {first.barred}{others}; {more}")


def why_none(view: LoadView) -> str:
    """Return why no node is eligible, each reason with its remedy; empty if a node is eligible."""
    if view.eligible:
        return ""
    nodes = view.nodes.values()
    if not nodes:
        return _nobody(view)
    nodes_down = [node for node in nodes if node.doubt and node.problem]
    reasons = [_why_down(nodes_down)]
    others = [node for node in nodes if node not in nodes_down]
    draining = sum(node.state is NodeState.DRAINING for node in others)
    if draining:
        reasons.append(f"{draining} nodes are draining; take one back with `ringway undrain`")
    doubted = [node for node in others if node.state is NodeState.ACTIVE and node.doubt]
    if doubted:
        reasons.append(f"{len(doubted)} nodes have not answered the gateway's knock; `ringway nodes` says why")
    idle = sum(node.state is NodeState.ACTIVE for node in others) - len(doubted)
    if idle:
        reasons.append(f"{idle} nodes have a weight of 0; raise the weight of one")
    said = [reason for reason in reasons if reason]
    if len(nodes) == 1 and nodes_down:
        return f"the {said[0]}"
    return f"all {said[0]}" if len(said) == 1 else "nobody can be placed: " + "; ".join(said)


def _nobody(view: LoadView) -> str:
    """Return that the view is empty; if backends belong there, with the remedy."""
    if not view.group:
        return "no node is known"
    of_group = f",group={view.group}" if view.group != DEFAULT else ""
    return f"the group {view.group!r} has no backend; add one with --backend URL{of_group}, or by another source"


SHOWN_MAX = 3
"""The most backends that an error names with their problems."""


def _why_down(nodes: Sequence[NodeLoad]) -> str:
    if not nodes:
        return ""
    told = ", ".join(f"{node.name}: {node.problem}" for node in nodes[:SHOWN_MAX])
    if len(nodes) == 1:
        return f"one backend fails its check ({told})"
    return f"{len(nodes)} backends fail their check ({told}{', ...' if len(nodes) > SHOWN_MAX else ''})"


def with_alternates(view: LoadView, ranked: Sequence[NodeLoad], count: int, rng: "Random") -> Sequence[NodeLoad]:
    """Return up to `count` nodes: `ranked`, then further nodes that are not barred.

    The further nodes are used if the first fails. They are neighbours by name, from a random node on: so the clients of
    a failed node are shared by random nodes; the next best node would get all of them.
    """
    missing = count - len(ranked)
    if missing <= 0:
        return ranked[:count]
    takers = view.takers()
    return [*ranked, *_around(takers, int(rng.random() * len(takers)), ranked, missing)]


def _around(nodes: Sequence[NodeLoad], start: int, without: Sequence[NodeLoad], count: int) -> list[NodeLoad]:
    """Return up to `count` nodes that are not in `without`, from the index `start` on and around."""
    found: list[NodeLoad] = []
    size = len(nodes)
    for index in range(start, start + size):
        if len(found) >= count:
            break
        node = nodes[index - size if index >= size else index]
        if node not in without:
            found.append(node)
    return found
