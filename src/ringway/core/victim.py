"""Which connections to move: the donor's choice among its own (DESIGN.md 6).

The balancer says how many; who is moved is decided here, where the connections are. Without a ring the choice is
uniform: the first of a table would be the oldest clients again and again. With a ring only misplaced keys move, so
that every move repairs the affinity of one key and none breaks another.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol, TypeVar

from ringway.core.hashing import Table
from ringway.types import NodeName

if TYPE_CHECKING:
    from random import Random


class Movable(Protocol):
    """What must be known of a connection."""

    @property
    def key(self) -> bytes:
        """Its affinity key; empty where it has none."""
        ...

    @property
    def moved_at(self) -> float | None:
        """When it was moved here, monotonic; None where it came by itself."""
        ...


Client = TypeVar("Client", bound=Movable)


def is_cooling(client: Movable, now: float, cool_down_s: float) -> bool:
    """Whether `client` was moved here less than `cool_down_s` ago, and so is left in peace."""
    return client.moved_at is not None and client.moved_at + cool_down_s > now


def choose_victims(
    clients: Iterable[Client],
    count: int,
    rng: "Random",
    *,
    now: float,
    cool_down_s: float,
    owned_by: tuple[Table, NodeName] | None = None,
) -> list[Client]:
    """Return up to `count` of `clients` to be moved.

    Left out are those that were moved here less than `cool_down_s` ago (0 for a node that drains) and, where
    `owned_by` is given, those whose key that ring does not give to that node.
    """
    eligible = [client for client in clients if not is_cooling(client, now, cool_down_s)]
    if owned_by is not None:
        ring, target = owned_by
        eligible = [client for client in eligible if client.key and ring.owner(client.key) == target]
    if count >= len(eligible):
        return eligible
    return rng.sample(eligible, count)


def count_misplaced(
    clients: Iterable[Movable], ring: Table, own: NodeName, *, now: float, cool_down_s: float
) -> dict[NodeName, int]:
    """Return how many keyed `clients` of the node `own` belong to each other node by `ring` and may be moved."""
    misplaced: dict[NodeName, int] = {}
    for client in clients:
        if client.key and not is_cooling(client, now, cool_down_s):
            owner = ring.owner(client.key)
            if owner != own:
                misplaced[owner] = misplaced.get(owner, 0) + 1
    return misplaced
