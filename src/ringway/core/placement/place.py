"""Place of one client: its node, and the member that holds the place until the client has come."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from ringway.types import Issuer

if TYPE_CHECKING:
    from random import Random

    from ringway.core.load import LoadView, NodeLoad
    from ringway.core.placement.policy import Policy


class Choice(NamedTuple):
    """The node for one client, the issuer of its ticket, and the alternates if the node fails, the best first."""

    node: "NodeLoad"
    issuer: Issuer
    alternates: "Sequence[NodeLoad]"
    claimed: bool
    """True if a donor of moves holds the place; otherwise the chooser holds it (`LoadView.place`)."""


def choose_place(
    view: "LoadView", policy: "Policy", key: bytes | None, rng: "Random", now: float, *, count: int, claims: bool
) -> Choice:
    """Choose a node and up to `count - 1` alternates for a client without a ticket; `view` is awake (`LoadView.wake`).

    With `claims` a client that was told to move, and came without its ticket, is given a place that is held for a move,
    unless the policy places by key: then its key decides. Such a choice has no alternates; `other_nodes` finds some.
    Raise `NoNode` if no node may get newcomers.
    """
    claimed = view.claim(now) if claims and not policy.table else None
    if claimed is None:
        ranked = policy.pick(view, key, rng, count).nodes
        return Choice(ranked[0], view.issuer, ranked[1:], claimed=False)
    node, donor = claimed
    return Choice(node, donor, (), claimed=True)


def other_nodes(
    node: "NodeLoad", view: "LoadView", policy: "Policy", key: bytes | None, rng: "Random", *, count: int
) -> "Sequence[NodeLoad]":
    """Return up to `count` nodes that the policy prefers now, without `node`."""
    return [other for other in policy.pick(view, key, rng, count).nodes if other is not node]
