"""Which connections to move: the donor's choice among its own (DESIGN.md 6).

The balancer says how many; who is moved is decided here, where the connections are. Never whoever was moved here a
short while ago, and never who is pinned. Then whoever is cheapest to disturb:

1. idle before busy: an idle client does not notice;
2. few subscriptions before many: each is subscribed anew;
3. the youngest or the oldest, as the operator wants it.

Clients are offered in slices, in the order in which they came, so that a node with a hundred thousand of them can look
at its sockets in between. They are dealt into a list for each cost, which keeps that order: nothing is compared, and
choosing costs the same for one as for half of all.

With a table of keys only misplaced keys move, so that every move repairs the affinity of one key and none breaks
another. Where a table of before is given, a key that had the same owner then is left where it is: it is beside its
owner on purpose.
"""

from collections.abc import Callable, Iterable, Iterator, Sized
from dataclasses import dataclass
from itertools import islice
from math import inf
from typing import Generic, Protocol, TypeVar

from ringway.core.hashing import Table
from ringway.types import NodeName

PINNED = inf
"""The `moved_at` of a client that is never to be moved: as if it had just been, for ever."""


class Movable(Protocol):
    """What must be known of a connection."""

    @property
    def key(self) -> bytes:
        """Its affinity key; empty where it has none."""
        ...

    @property
    def moved_at(self) -> float | None:
        """When it was moved here, monotonic; None where it came by itself, `PINNED` where it wants to stay."""
        ...

    @property
    def heard_at(self) -> float:
        """When it last asked for something, monotonic."""
        ...

    @property
    def channels(self) -> Sized:
        """What it is subscribed to."""
        ...


Client = TypeVar("Client", bound=Movable)


@dataclass(frozen=True, slots=True)
class KeyOwners:
    """Whose a key is now, and whose it was."""

    table: Table
    before: Table | None = None

    def new_owner(self, key: bytes) -> NodeName | None:
        """The owner of `key`; None where that has not changed since before."""
        owner = self.table.owner(key)
        if self.before is not None and self.before.owner(key) == owner:
            return None
        return owner


def is_cooling(moved_at: float | None, now: float, cool_down_s: float) -> bool:
    """Whether a client that was moved here at `moved_at` is left in peace: for `cool_down_s`, or for ever if pinned."""
    return moved_at is not None and moved_at + cool_down_s > now


class Search(Generic[Client]):
    """Who may be moved, as offered, the cheapest to disturb first; where `deed` is given, by whose their keys are now.

    `cool_down_s` is 0 for a node that drains. Who was heard less than `idle_after_s` ago is busy.
    """

    def __init__(self, *, now: float, cool_down_s: float, idle_after_s: float, deed: KeyOwners | None = None) -> None:
        self._now = now
        self._cool_down_s = cool_down_s
        self._busy_from = now - idle_after_s
        self._deed = deed
        self._dealt: dict[NodeName | None, dict[tuple[bool, int], list[Client]]] = {}

    def offer(self, clients: Iterable[Client]) -> None:
        """Look at some more `clients`, all younger than those before them."""
        now, cool_down_s, busy_from, deed = self._now, self._cool_down_s, self._busy_from, self._deed
        owner: NodeName | None = None
        for client in clients:
            moved_at = client.moved_at
            if moved_at is not None and is_cooling(moved_at, now, cool_down_s):
                continue
            if deed is not None:
                owner = deed.new_owner(client.key) if client.key else None
                if owner is None:
                    continue
            cost = (client.heard_at > busy_from, len(client.channels))
            self._dealt.setdefault(owner, {}).setdefault(cost, []).append(client)

    def take(
        self,
        count: int,
        fit: Callable[[Client], bool],
        *,
        owner: NodeName | None = None,
        oldest_first: bool = False,
    ) -> list[Client]:
        """Return up to `count` that are `fit`: of the keys of `owner`, or of all where the search is without keys."""
        return list(islice(filter(fit, self._in_turn(owner, oldest_first=oldest_first)), count))

    def count(self, fit: Callable[[Client], bool]) -> dict[NodeName, int]:
        """Return how many that are `fit` have keys of each node."""
        counts = {owner: sum(map(fit, self._in_turn(owner))) for owner in self._dealt if owner is not None}
        return {owner: count for owner, count in counts.items() if count}

    def _in_turn(self, owner: NodeName | None, *, oldest_first: bool = False) -> Iterator[Client]:
        dealt = self._dealt.get(owner, {})
        for cost in sorted(dealt):
            yield from dealt[cost] if oldest_first else reversed(dealt[cost])
