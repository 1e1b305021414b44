"""Placers for comparison: common ways to choose a node without a load balancer for WebSockets."""

from bisect import bisect_right
from hashlib import blake2b
from itertools import accumulate
from typing import TYPE_CHECKING, ClassVar

from ringway.core.load import LoadView
from ringway.core.placement.policy import Options, Pick, no_node

if TYPE_CHECKING:
    from random import Random

    from ringway.core.load import NodeLoad


class Modulo:
    """The key's hash modulo the number of nodes: a change of that number moves nearly every key."""

    name: ClassVar[str] = "modulo"
    options_type: ClassVar[type[Options]] = Options
    rule: ClassVar[str] = "the key's hash, modulo the number of nodes"
    measure: ClassVar[str] = "nothing"
    table = ""

    def pick(self, view: LoadView, key: bytes | None, rng: "Random", count: int) -> Pick:
        """See `Policy.pick`."""
        nodes = view.eligible
        if not nodes:
            raise no_node(view)
        number = key_number(key) if key is not None else rng.getrandbits(32)
        return Pick([nodes[number % len(nodes)]], nodes)

    def value(self, view: LoadView, node: "NodeLoad") -> float:
        """See `Policy.value`."""
        return 0.0


class AtRandom:
    """Any node, by weight: as most load balancers place a reconnecting crowd."""

    name: ClassVar[str] = "at-random"
    options_type: ClassVar[type[Options]] = Options
    rule: ClassVar[str] = "any node, by weight"
    measure: ClassVar[str] = "nothing"
    table = ""

    def __init__(self) -> None:
        self._version = -1
        self._cumulated: list[float] = []

    def pick(self, view: LoadView, key: bytes | None, rng: "Random", count: int) -> Pick:
        """See `Policy.pick`."""
        nodes = view.eligible
        if not nodes:
            raise no_node(view)
        if view.version != self._version:
            self._version = view.version
            self._cumulated = list(accumulate(node.weight for node in nodes))
        index = bisect_right(self._cumulated, rng.random() * self._cumulated[-1])
        return Pick([nodes[min(index, len(nodes) - 1)]], nodes)

    def value(self, view: LoadView, node: "NodeLoad") -> float:
        """See `Policy.value`."""
        return 0.0


def key_number(key: bytes) -> int:
    """The key's hash, as a number."""
    return int.from_bytes(blake2b(key, digest_size=8).digest(), "big")
