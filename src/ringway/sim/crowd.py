"""Crowd of clients, as arrays: the node, the key, the kind and the history of each.

Kinds
- *obedient*: after a move it connects to the named node at once, with its ticket. After a loss it waits a random time.
- *slow*: the same, some seconds later; its ticket may be too old by then, and it asks a gateway.
- *plain*: does not know moves, and comes back through a gateway, after a short random time.
- *jitterless*: comes back through a gateway exactly one second later, like all of its kind.
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
UNDRAWN = -1
"""The kind of a client that did nothing so far: it is not drawn yet."""

DIAL_S = 0.03  # from the gateway's answer, or the order to move, to the node
SLOW_S = (2.0, 12.0)
PLAIN_S = (0.0, 0.2)
JITTERLESS_S = 1.0
WAYWARD_S = (0.0, 30.0)
DRAWS = 6


COLUMNS: dict[str, tuple[type, float]] = {
    "node": (np.int32, AWAY),
    "leaving": (np.bool_, False),  # chosen for a move that was ordered
    "moved_at": (np.float64, -np.inf),
    "moves": (np.int32, 0),  # the number of moves by the system
    "disturbed": (np.bool_, False),  # closed by the system, and not connected again
    "attempt": (np.int16, 0),
    "target": (np.int32, AWAY),
    "issuer": (np.int32, AWAY),  # of the ticket
    "ticket_ends": (np.float64, np.inf),
    "came_from": (np.int32, AWAY),
}
"""The arrays of a crowd beside the kinds: their types, and the value of a client that has just come."""


class Crowd:
    """All clients of a run. An array holds one value for each client; nodes and issuers are the world's numbers."""

    node: NDArray[np.int32]
    leaving: NDArray[np.bool_]
    moved_at: NDArray[np.float64]
    moves: NDArray[np.int32]
    disturbed: NDArray[np.bool_]
    attempt: NDArray[np.int16]
    target: NDArray[np.int32]
    issuer: NDArray[np.int32]
    ticket_ends: NDArray[np.float64]
    came_from: NDArray[np.int32]

    def __init__(self, keys: NDArray[np.int64], shares: Mapping[str, float], rng: np.random.Generator) -> None:
        self._rng = rng
        self._shares = [1.0 - sum(shares.values()), *(shares.get(kind, 0.0) for kind in KINDS[1:])]
        self._come = 0  # the number of the next client that comes for the first time
        self.keys = keys
        self.kind = self.draw_kinds(len(keys))
        for name, (dtype, start) in COLUMNS.items():
            setattr(self, name, np.full(len(keys), start, dtype))

    def __len__(self) -> int:
        return len(self.node)

    def draw_kinds(self, count: int) -> NDArray[np.int8]:
        """Return the kinds of `count` clients."""
        return self._rng.choice(len(KINDS), count, p=self._shares).astype(np.int8)

    def key_of(self, client: int) -> bytes | None:
        """Return the key of a client; None if no key counts."""
        return b"%d" % self.keys[client]

    def connect(self, nodes: NDArray[np.int64]) -> None:
        """Let the first clients be at `nodes`, from the beginning."""
        self.node[: len(nodes)] = nodes
        self._come = len(nodes)

    def newcomers(self, count: int) -> Ids:
        """Return the next `count` clients that come for the first time."""
        first, self._come = self._come, self._come + count
        return np.arange(first, first + count)

    def at(self, node: int) -> Ids:
        """Return the clients that are connected to a node."""
        return np.flatnonzero(self.node == node)

    def settle(self, ids: Ids, node: int) -> None:
        """Record that `ids` are connected to `node` now, after their handshakes."""
        self.node[ids] = node
        self.attempt[ids] = 0

    def cooling(self, nodes: int, since: float) -> NDArray[np.int64]:
        """Return the number of clients at each of `nodes` nodes that were moved there after `since`."""
        recent = self.node[(self.moved_at > since) & (self.node >= 0)]
        return np.bincount(recent, minlength=nodes)

    def ended(self, count: int) -> Ids:
        """Draw `count` of all clients of the run, and return the connected clients among them."""
        ids = np.unique(self._rng.integers(0, len(self), count))
        return ids[self.node[ids] >= 0]

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
        """The pause of each client before it asks a gateway again, after a loss, a refusal, or a missing node."""
        kinds = self.kind[ids]
        top = np.minimum(CAP_S, BASE_S * 2.0 ** np.minimum(self.attempt[ids], 32))  # as `core.backoff` does
        delays: NDArray[np.float64] = self._rng.random(len(ids)) * top
        self.attempt[ids] += 1
        delays[kinds == JITTERLESS] = JITTERLESS_S
        wayward = kinds == WAYWARD
        delays[wayward] = self._rng.uniform(*WAYWARD_S, int(wayward.sum()))
        return delays

    def move_delays(self, ids: Ids) -> NDArray[np.float64]:
        """The time of each client from its move to its arrival at the new node, or to its request to a gateway."""
        kinds = self.kind[ids]
        delays = np.full(len(ids), DIAL_S)
        for kind, (least, most) in ((SLOW, SLOW_S), (PLAIN, PLAIN_S), (WAYWARD, WAYWARD_S)):
            those = kinds == kind
            delays[those] = self._rng.uniform(least, most, int(those.sum()))
        delays[kinds == JITTERLESS] = JITTERLESS_S
        return delays


def draw_keys(count: int, rooms: int, zipf: float, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return a key for each of `count` clients: a key of its own, or the key of one of `rooms` rooms, by Zipf's law."""
    if rooms <= 0:
        return np.arange(count, dtype=np.int64)
    shares = 1.0 / np.arange(1, rooms + 1) ** zipf
    return np.searchsorted(np.cumsum(shares / shares.sum()), rng.random(count)).clip(max=rooms - 1).astype(np.int64)
