"""Calendar of a simulation: the clients that are due in each step of time.

Time advances in fixed steps, and clients are numbers in arrays: a crowd that comes back over ten seconds is a few
arrays of numbers, not a hundred thousand events in a heap.
"""

from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int64]


class Calendar:
    """Batches of clients by the step in which they are due. `step_s` is the length of a step."""

    def __init__(self, step_s: float) -> None:
        self._step_s = step_s
        self._due: defaultdict[int, list[Ids]] = defaultdict(list)
        self._next = 0  # the next step
        self.waiting = 0

    def put(self, ids: Ids, now: float, delays_s: NDArray[np.float64] | float) -> None:
        """Let `ids` be due `delays_s` after `now`, in a future step: one delay for all, or a delay for each."""
        if not len(ids):
            return
        self.waiting += len(ids)
        if isinstance(delays_s, float | int):
            self._due[self._step(now + delays_s)].append(ids)
            return
        steps = np.maximum(np.rint((now + delays_s) / self._step_s).astype(np.int64), self._next)
        order = np.argsort(steps, kind="stable")
        starts = np.flatnonzero(np.diff(steps[order], prepend=-1))
        for batch, step in zip(np.split(ids[order], starts[1:]), steps[order][starts], strict=True):
            self._due[int(step)].append(batch)

    def take_step(self, step: int) -> Ids:
        """Return the clients that are due in `step`, in the order in which they were put."""
        self._next = step + 1
        batches = self._due.pop(step, None)
        if not batches:
            return np.empty(0, np.int64)
        ids = batches[0] if len(batches) == 1 else np.concatenate(batches)
        self.waiting -= len(ids)
        return ids

    def _step(self, at: float) -> int:
        return max(round(at / self._step_s), self._next)
