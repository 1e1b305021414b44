"""Classes of clients that rest at one node: clients that differ in nothing that matters for their future.

A client rests while it is connected and not chosen for a move. Its future depends on its kind, on the number of its
moves, and on the time of the last move. Clients that are equal in these three are one class, and the class is a number.
The clients of a node that move are drawn by lot, so the number from each class is hypergeometric.
"""

from collections import Counter, deque
from math import inf

import numpy as np

Sort = tuple[int, int]
"""The kind of a client, and the number of its moves."""

Some = tuple[float, Sort, int]
"""The time of the last move of these clients, their sort, and their number."""


class RestingClients:
    """The clients that rest at one node. Moves come in the order of their time."""

    __slots__ = ("_cooled", "_lately", "count", "lately")

    def __init__(self) -> None:
        self.count = 0
        self.lately = 0  # of these, the clients that were moved here recently (`cool`)
        self._cooled: Counter[Sort] = Counter()
        self._lately: deque[Some] = deque()

    def add(self, moved_at: float, sort: Sort, count: int) -> None:
        """Let `count` clients rest here that were moved last at `moved_at`; -inf: never."""
        self.count += count
        if moved_at == -inf:
            self._cooled[sort] += count
            return
        self.lately += count
        if self._lately and self._lately[-1][:2] == (moved_at, sort):
            count += self._lately.pop()[2]
        self._lately.append((moved_at, sort, count))

    def cool(self, until: float) -> None:
        """Forget the time of last moves at `until` or before."""
        while self._lately and self._lately[0][0] <= until:
            _, sort, count = self._lately.popleft()
            self._cooled[sort] += count
            self.lately -= count

    def take(self, count: int, moved_before: float, rng: np.random.Generator) -> list[Some]:
        """Draw up to `count` clients whose last move was at `moved_before` or before; all are equally likely."""
        cooled: list[Some] = [(-inf, sort, number) for sort, number in self._cooled.items()]
        lately = [part for part in self._lately if part[0] <= moved_before]
        parts = cooled + lately
        taken = _draw([part[2] for part in parts], count, rng)
        chosen = [(at, sort, number) for (at, sort, _), number in zip(parts, taken, strict=True)]
        left = [(at, sort, there - number) for (at, sort, there), number in zip(parts, taken, strict=True)]
        self.count -= sum(taken)
        self.lately -= sum(taken[len(cooled) :])
        self._cooled = Counter({sort: number for _, sort, number in left[: len(cooled)] if number})
        for _ in lately:
            self._lately.popleft()
        self._lately.extendleft(part for part in reversed(left[len(cooled) :]) if part[2])
        return [part for part in chosen if part[2]]


def _draw(counts: list[int], count: int, rng: np.random.Generator) -> list[int]:
    """Return the numbers of clients from each class if `count` are drawn by lot from classes of these sizes."""
    if count >= sum(counts):
        return counts
    if len(counts) == 1:
        return [count]
    drawn: list[int] = rng.multivariate_hypergeometric(counts, count, method="marginals").tolist()
    return drawn
