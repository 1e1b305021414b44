"""Crowd that counts: clients that rest are in classes (`resting`), and only clients on their way have rows.

A client without a key is like each other client of its node, until something happens to it. Then it gets a row, as each
client of a `Crowd` has from the beginning. When it is connected again, its row is free for the next client. The kind of
a client is drawn when it acts for the first time: nothing depends on its kind before. So both crowds simulate the same
world with different dice. If the dice do not matter, both runs are equal in each second
(tests/simulation/test_classes.py).

The memory depends on the number of clients on their way at one time, not on the number of all clients. If keys have
owners, each client must be known, and there are no classes.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ringway.errors import ConfigError
from ringway.sim.calendar import Ids
from ringway.sim.contender import Contender
from ringway.sim.crowd import AWAY, COLUMNS, OBEDIENT, UNDRAWN, Crowd, draw_keys
from ringway.sim.resting import RestingClients, Some
from ringway.sim.scenario import Scenario

SINGLE_MAX = 20_000_000
"""The maximum of clients with rows: each costs 50 bytes."""

ROWS_MIN = 4096


class ClassedCrowd(Crowd):
    """A crowd with rows for the clients on their way, and for those chosen for a move."""

    def __init__(self, shares: Mapping[str, float], rng: np.random.Generator) -> None:
        super().__init__(np.empty(0, np.int64), shares, rng)
        self._resting: defaultdict[int, RestingClients] = defaultdict(RestingClients)
        self._free: list[int] = []
        self._obedient = not any(shares.values())

    def key_of(self, client: int) -> bytes | None:
        """See `Crowd.key_of`."""
        return None

    def connect_counts(self, counts: NDArray[np.int64]) -> None:
        """Put the given number of clients at each node, from the beginning."""
        for node, count in enumerate(counts.tolist()):
            self._resting[node].add(-np.inf, (UNDRAWN, 0), count)

    def newcomers(self, count: int) -> Ids:
        """See `Crowd.newcomers`."""
        return self._rows([(-np.inf, (UNDRAWN, 0), count)], AWAY)

    def at(self, node: int) -> Ids:
        """See `Crowd.at`; they get rows."""
        resting = self._resting[node]
        self._rows(resting.take(resting.count, np.inf, self._rng), node)
        return np.flatnonzero(self.node == node)

    def settle(self, ids: Ids, node: int) -> None:
        """See `Crowd.settle`; their rows are free from now on."""
        sorts = zip(self.kind[ids].tolist(), self.moves[ids].tolist(), strict=True)
        for (moved_at, sort), count in Counter(zip(self.moved_at[ids].tolist(), sorts, strict=True)).items():
            self._resting[node].add(moved_at, sort, count)
        self.node[ids] = AWAY
        self._free += ids.tolist()

    def cooling(self, nodes: int, since: float) -> NDArray[np.int64]:
        """See `Crowd.cooling`."""
        cooling = super().cooling(nodes, since)
        for node, resting in self._resting.items():
            resting.cool(since)
            cooling[node] += resting.lately
        return cooling

    def ended(self, count: int) -> Ids:
        """See `Crowd.ended`."""
        chosen = np.flatnonzero(self.node >= 0)
        nodes = sorted(self._resting)
        held = [self._resting[node].count for node in nodes]
        connected = sum(held) + len(chosen)
        everybody = sum(held) + len(self) - len(self._free)
        if not connected:
            return np.empty(0, np.int64)
        ending = min(connected, int(self._rng.binomial(count, connected / everybody)))
        parts = self._rng.multivariate_hypergeometric([len(chosen), *held], ending, method="marginals").tolist()
        ids = [self._rng.choice(chosen, parts[0], replace=False)]
        for node, part in zip(nodes, parts[1:], strict=True):
            if part:
                ids.append(self._rows(self._resting[node].take(part, np.inf, self._rng), node))
        return np.concatenate(ids)

    def draw(self, donor: int, count: int, held: int, moved_before: float) -> Ids:
        """See `Crowd.draw`; they get rows. Clients that were chosen before have left their class already."""
        some = self._resting[donor].take(count, moved_before, self._rng)
        ids = self._rows(some, donor)
        return self._rng.permutation(ids) if len(some) > 1 else ids

    def _rows(self, some: list[Some], node: int) -> Ids:
        """Return rows for clients of these classes, as they are at `node`."""
        count = sum(part[2] for part in some)
        self._grow(count - len(self._free))
        ids = np.array(self._free[len(self._free) - count :], np.int64)
        del self._free[len(self._free) - count :]
        for name, (_, start) in COLUMNS.items():
            getattr(self, name)[ids] = start
        self.node[ids] = node
        first = 0
        for moved_at, (kind, moves), number in some:
            those = ids[first : first + number]
            first += number
            self.moved_at[those] = moved_at
            self.moves[those] = moves
            self.kind[those] = kind if kind != UNDRAWN else OBEDIENT if self._obedient else self.draw_kinds(number)
        return ids

    def _grow(self, more: int) -> None:
        if more <= 0:
            return
        size = len(self)
        more = max(more, size, ROWS_MIN)
        self.kind = np.concatenate([self.kind, np.full(more, UNDRAWN, np.int8)])
        for name, (dtype, start) in COLUMNS.items():
            setattr(self, name, np.concatenate([getattr(self, name), np.full(more, start, dtype)]))
        self._free += range(size, size + more)


def make_crowd(scenario: Scenario, contender: Contender, rng: np.random.Generator) -> Crowd:
    """Return the crowd of a run: in classes if there are many clients and no client has a key."""
    if has_classes(scenario, contender):
        return ClassedCrowd(scenario.kinds, rng)
    clients = scenario.connections + scenario.clients_more
    return Crowd(draw_keys(clients, scenario.rooms, scenario.zipf, rng), scenario.kinds, rng)


def has_classes(scenario: Scenario, contender: Contender) -> bool:
    """True if clients are counted in classes. Raise `ConfigError` if they cannot, and are too many without."""
    clients = scenario.connections + scenario.clients_more
    if clients >= scenario.classes_from and contender.directed and not contender.make_policy().table:
        return True
    if clients > SINGLE_MAX:
        raise ConfigError(
            f"{clients:,} clients with {contender.name}: at most {SINGLE_MAX:,} are possible if keys have owners, or "
            "if no balancer directs moves; choose a policy by load, or fewer clients"
        )
    return False
