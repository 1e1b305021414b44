"""Table of owners that is built in slices: its user calls `work` until nothing is left, between other work.

Meanwhile it answers. Before it is whole for the first time, it answers as rendezvous hashing does, which needs no
table. Later a key whose owner does not change has that owner throughout. Each other key has its former owner, or a node
that has come or grown. No key has a node that has left. As soon as the table is whole, owners depend on nodes, weights
and secret alone.
"""

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping
from itertools import islice
from typing import ClassVar

from ringway.core.hashing.digest import begin_hash, hash_key, table_secret
from ringway.core.hashing.rendezvous import RendezvousTable
from ringway.types import NodeName

_FIRST = 4


class SlicedTable(ABC):
    """Base of tables that are built in slices; a new table is built for its `weights` at once."""

    moves_least: ClassVar[bool] = True

    def __init__(self, weights: Mapping[NodeName, float], secret: bytes = b"") -> None:
        self._secret = table_secret(secret)
        self._begun = begin_hash(self._secret)
        self._direct = RendezvousTable(weights, secret)
        self._built: Mapping[NodeName, float] = {}
        self._whole = not self.weights  # nothing is left to build
        self._building: Iterator[None] | None = None
        self._next: Mapping[NodeName, float] = {}  # the table that is being built
        while self.work():
            pass

    @property
    def weights(self) -> Mapping[NodeName, float]:
        """The nodes of the table and their weights."""
        return self._direct.weights

    @property
    def whole(self) -> bool:
        """True if nothing is left to build."""
        return self._whole

    def update(self, weights: Mapping[NodeName, float]) -> None:
        """Let the table hold exactly `weights` when it is whole again; nodes with weight 0 own nothing."""
        self._direct.update(weights)
        self._whole = self._built == self.weights

    def work(self) -> bool:
        """Do one slice of what is left to build, about 2 ms; return True if there is more.

        A change of weights during a build waits until that build is done: so builds end however often weights change.
        """
        if self._building is None:
            if self._whole:
                return False
            self._next = self.weights
            self._building = self._build(self._next)
        for _ in self._building:
            return True
        self._building, self._built = None, self._next
        self._whole = self._built == self.weights
        return not self._whole

    def owner(self, key: bytes) -> NodeName:
        """Return the node that owns `key`. Raise `LookupError` on an empty table."""
        for name in self.ranked(key):
            return name
        raise LookupError("the table is empty")

    def owner_among(self, key: bytes, names: Collection[NodeName]) -> NodeName:
        """See `Table.owner_among`: a walk to the first point or place costs less than to compare nodes."""
        return self.owner(key)

    def first(self, key: bytes) -> list[NodeName]:
        """Return the first nodes of `ranked`, at most `_FIRST`."""
        return list(islice(self.ranked(key), _FIRST)) if self._built else self._direct.first(key)

    def ranked(self, key: bytes) -> Iterator[NodeName]:
        """Yield all nodes for `key`, each once: its owner, then the nodes that get it if the owner is full."""
        weights = self.weights
        if not self._built:
            yield from self._direct.ranked(key)
            return
        met: set[NodeName] = set()
        whole = self._whole
        for name in self._walk(hash_key(key, self._begun)):
            if name not in met and (whole or name in weights):
                met.add(name)
                yield name
        if len(met) < len(weights):
            for name in self._direct.ranked(key):
                if name not in met:
                    yield name

    @abstractmethod
    def _build(self, weights: Mapping[NodeName, float]) -> Iterator[None]:
        """Make the table hold `weights`; yield between two slices."""

    @abstractmethod
    def _walk(self, hashed: int) -> Iterator[NodeName]:
        """Yield nodes in the table's order for a key of this hash, some of them repeatedly, not necessarily all."""
