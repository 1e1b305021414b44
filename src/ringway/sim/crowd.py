"""Crowd of clients, as arrays: the node, the key, the kind and the history of each.

Kinds
- *obedient*: after a move it connects to the named node at once, with its ticket. After a loss it waits a random time.
- *slow*: the same, some seconds later; its ticket may be too old by then, and it asks a gateway.
- *plain*: knows nothing of moves and comes back through a gateway, after a short random time.
- *jitterless*: comes back through a gateway exactly one second later, as all of its kind do.
- *wayward*: comes back at any time, through a gateway.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ringway.core.backoff import BASE_S, CAP_S
from ringway.sim.calendar import Ids
from ringway.sim.scenario import KINDS

OBEDIENT, SLOW, PLAIN, JITTERLESS, WAYWARD = range(len(KINDS))

AWAY = -1
DIAL_S = 0.03  # from the gateway's answer, or the order to move, to the node
SLOW_S = (2.0, 12.0)
PLAIN_S = (0.0, 0.2)
JITTERLESS_S = 1.0
WAYWARD_S = (0.0, 30.0)
DRAWS = 6


class Crowd:
    """All clients there will be. An array holds one value for each; nodes and issuers are numbers of the world's."""

    def __init__(self, keys: NDArray[np.int64], shares: Mapping[str, float], rng: np.random.Generator) -> None:
        size = len(keys)
        self._rng = rng
        self.keys = keys
        self.kind = rng.choice(
            len(KINDS), size, p=[1.0 - sum(shares.values()), *(shares.get(kind, 0.0) for kind in KINDS[1:])]
        ).astype(np.int8)
        self.node = np.full(size, AWAY, np.int32)
        self.leaving = np.zeros(size, bool)  # chosen for a move that was ordered
        self.moved_at = np.full(size, -np.inf)
        self.moves = np.zeros(size, np.int32)  # how often the system closed it to have it elsewhere
        self.attempt = np.zeros(size, np.int16)
        self.target = np.full(size, AWAY, np.int32)
        self.issuer = np.full(size, AWAY, np.int32)  # of the ticket
        self.ticket_ends = np.full(size, np.inf)
        self.came_from = np.full(size, AWAY, np.int32)

    def __len__(self) -> int:
        return len(self.node)

    def count(self, nodes: int) -> NDArray[np.int64]:
        """How many clients are connected to each of `nodes` nodes."""
        return np.bincount(self.node[self.node >= 0], minlength=nodes)

    def cooling(self, nodes: int, since: float) -> NDArray[np.int64]:
        """How many at each node were moved there after `since`."""
        recent = self.node[(self.moved_at > since) & (self.node >= 0)]
        return np.bincount(recent, minlength=nodes)

    def draw(self, donor: int, count: int, held: int, moved_before: float) -> Ids:
        """Draw up to `count` of the `held` clients of `donor` that are not chosen yet, moved last before that time.

        All of them are equally likely. To draw from all clients and keep those of `donor` costs less than to check all
        clients, as long as the donor holds a fair part.
        """
        chosen: Ids = np.empty(0, np.int64)
        size = len(self)
        drawn = int(1.5 * count * size / max(held, 1)) + 64
        if drawn < size // 4:
            for _ in range(DRAWS):
                some = self._rng.integers(0, size, drawn)
                some = some[self._may_move(some, donor, moved_before)]
                both = np.concatenate([chosen, some])
                chosen = both[np.sort(np.unique(both, return_index=True)[1])][:count]
                if len(chosen) == count:
                    return chosen
        everybody = np.flatnonzero((self.node == donor) & ~self.leaving & (self.moved_at <= moved_before))
        return everybody if len(everybody) <= count else self._rng.choice(everybody, count, replace=False)

    def _may_move(self, ids: Ids, donor: int, moved_before: float) -> NDArray[np.bool_]:
        return np.asarray((self.node[ids] == donor) & ~self.leaving[ids] & (self.moved_at[ids] <= moved_before))

    def return_delays(self, ids: Ids) -> NDArray[np.float64]:
        """How long each waits before it asks a gateway again, after it was cut off, refused, or found nobody."""
        kinds = self.kind[ids]
        top = np.minimum(CAP_S, BASE_S * 2.0 ** np.minimum(self.attempt[ids], 32))  # as `core.backoff` does
        delays: NDArray[np.float64] = self._rng.random(len(ids)) * top
        self.attempt[ids] += 1
        delays[kinds == JITTERLESS] = JITTERLESS_S
        wayward = kinds == WAYWARD
        delays[wayward] = self._rng.uniform(*WAYWARD_S, int(wayward.sum()))
        return delays

    def move_delays(self, ids: Ids) -> NDArray[np.float64]:
        """How long each takes to be at its new node, or to ask a gateway, after it was told to move."""
        kinds = self.kind[ids]
        delays = np.full(len(ids), DIAL_S)
        for kind, (least, most) in ((SLOW, SLOW_S), (PLAIN, PLAIN_S), (WAYWARD, WAYWARD_S)):
            those = kinds == kind
            delays[those] = self._rng.uniform(least, most, int(those.sum()))
        delays[kinds == JITTERLESS] = JITTERLESS_S
        return delays


def draw_keys(count: int, rooms: int, zipf: float, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return a key for each of `count` clients: one of its own, or that of one of `rooms` rooms, by Zipf's law."""
    if rooms <= 0:
        return np.arange(count, dtype=np.int64)
    shares = 1.0 / np.arange(1, rooms + 1) ** zipf
    return np.searchsorted(np.cumsum(shares / shares.sum()), rng.random(count)).clip(max=rooms - 1).astype(np.int64)
