"""Candidates for moves: the donor's choice among its own connections.

The balancer decides the number of moves; the node that holds the connections chooses the clients. A client is never
chosen if it was moved here a short while ago, or is pinned. Of the rest, the clients are chosen that are cheapest to
disturb:

1. idle before busy: an idle client does not notice;
2. few subscriptions before many: each subscription is made again;
3. the youngest or the oldest, as the operator sets it.

Clients are offered in slices, in the order of their arrival, so that a node with a hundred thousand clients can read
its sockets between two slices. There is a list for each cost, in the same order. So no comparison is needed, and the
choice of one client costs as much as the choice of half of all.

With a table of keys only misplaced keys move: every move repairs the affinity of a key and breaks no affinity. If an
earlier table is given, a key with the same owner in both tables stays: it is away from its owner on purpose.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from math import inf
from typing import Generic, Protocol, TypeVar

from ringway.types import NodeName

PINNED = inf
"""The `moved_at` of a client that is never moved: its cool-down never ends."""


class Movable(Protocol):
    """The facts about a connection by which it is chosen."""

    @property
    def key(self) -> bytes:
        """Its affinity key; empty if it has no key."""
        ...

    @property
    def moved_at(self) -> float | None:
        """The time at which it was moved here, monotonic; None if it came by itself, `PINNED` if it asked to stay."""
        ...

    @property
    def heard_at(self) -> float:
        """The time of its last command, monotonic."""
        ...

    @property
    def setup_cost(self) -> int:
        """The cost of its setup at the target: the number of subscriptions, for a client of channels."""
        ...


Client = TypeVar("Client", bound=Movable)


class OwnerOfKey(Protocol):
    """The owners of keys: a table (`core.hashing`), or a table with a memory."""

    def owner(self, key: bytes) -> NodeName:
        """Return the node that owns `key`."""
        ...


@dataclass(frozen=True, slots=True)
class KeyOwners:
    """The present and the earlier owners of keys."""

    table: OwnerOfKey
    before: OwnerOfKey | None = None

    def new_owner(self, key: bytes) -> NodeName | None:
        """Return the owner of `key`; None if the owner has not changed since `before`."""
        owner = self.table.owner(key)
        if self.before is not None and self.before.owner(key) == owner:
            return None
        return owner


def is_cooling(moved_at: float | None, now: float, cool_down_s: float) -> bool:
    """True if a client that was moved here at `moved_at` must stay: for `cool_down_s`, or for ever if pinned.

    `moved_at` is rounded up to a second. Without a cool-down that second does not count.
    """
    if moved_at is None:
        return False
    return moved_at + cool_down_s > now if cool_down_s else moved_at == PINNED


class Search(Generic[Client]):
    """The clients that may be moved, the cheapest to disturb first; with `owners`, by the owner of their key.

    `cool_down_s` is 0 for a node that drains. A client that sent a command less than `idle_after_s` ago is busy.
    """

    def __init__(self, *, now: float, cool_down_s: float, idle_after_s: float, owners: KeyOwners | None = None) -> None:
        self._now = now
        self._cool_down_s = cool_down_s
        self._busy_from = now - idle_after_s
        self._owners = owners
        self._dealt: dict[NodeName | None, dict[tuple[bool, int], list[Client]]] = {}

    def offer(self, clients: Iterable[Client]) -> None:
        """Consider more `clients`, all younger than the clients before them."""
        now, cool_down_s, busy_from, owners = self._now, self._cool_down_s, self._busy_from, self._owners
        owner: NodeName | None = None
        for client in clients:
            moved_at = client.moved_at
            if moved_at is not None and is_cooling(moved_at, now, cool_down_s):
                continue
            if owners is not None:
                owner = owners.new_owner(client.key) if client.key else None
                if owner is None:
                    continue
            cost = (client.heard_at > busy_from, client.setup_cost)
            self._dealt.setdefault(owner, {}).setdefault(cost, []).append(client)

    def choose(
        self,
        count: int,
        fit: Callable[[Client], bool],
        *,
        owner: NodeName | None = None,
        oldest_first: bool = False,
    ) -> list[Client]:
        """Return up to `count` clients that are `fit`: with keys of `owner`, or any if the search has no keys."""
        return list(islice(filter(fit, self._in_turn(owner, oldest_first=oldest_first)), count))

    def count(self, fit: Callable[[Client], bool]) -> dict[NodeName, int]:
        """Return by node how many clients that are `fit` have a key of that node."""
        return {owner: count for owner, count, _ in self.each_count(fit) if count}

    def each_count(self, fit: Callable[[Client], bool]) -> Iterator[tuple[NodeName, int, int]]:
        """Yield each owner with the number of clients of its keys that are `fit`, and with that of all these."""
        for owner, dealt in self._dealt.items():
            if owner is not None:
                yield owner, sum(map(fit, self._in_turn(owner))), sum(map(len, dealt.values()))

    def _in_turn(self, owner: NodeName | None, *, oldest_first: bool = False) -> Iterator[Client]:
        dealt = self._dealt.get(owner, {})
        for cost in sorted(dealt):
            yield from dealt[cost] if oldest_first else reversed(dealt[cost])
