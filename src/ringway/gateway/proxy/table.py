"""Table of the relays of a gateway, with the node of each relay."""

import asyncio
from collections.abc import Iterator

from ringway.core.load import NodeLoad
from ringway.gateway.proxy.relay import Relay
from ringway.types import Incarnation


class RelayTable:
    """The relays by node. A relay between two nodes is at its expected next node, or at no node."""

    def __init__(self) -> None:
        self._relays: dict[Relay, NodeLoad | None] = {}
        self._at: dict[Incarnation, dict[Relay, None]] = {}  # in the order of their arrival at the node
        self._none_at: dict[Incarnation, asyncio.Event] = {}  # set when no relay is at the node
        self.empty = asyncio.Event()
        self.empty.set()

    def __iter__(self) -> Iterator[Relay]:
        return iter(list(self._relays))

    def __len__(self) -> int:
        return len(self._relays)

    def enter(self, relay: Relay, node: NodeLoad) -> None:
        """Move `relay` to `node` in the table."""
        self.leave(relay)
        self.empty.clear()
        self._relays[relay] = node
        self._at.setdefault(node.incarnation, {})[relay] = None

    def leave(self, relay: Relay) -> NodeLoad | None:
        """Move `relay` to no node; return its former node, or None."""
        node = self._relays.get(relay)
        self._relays[relay] = None
        if node is not None:
            here = self._at[node.incarnation]
            del here[relay]
            if not here:
                del self._at[node.incarnation]
                if (none_at := self._none_at.pop(node.incarnation, None)) is not None:
                    none_at.set()
        return node

    def remove(self, relay: Relay) -> None:
        """Forget `relay`, which has ended."""
        self.leave(relay)
        del self._relays[relay]
        if not self._relays:
            self.empty.set()

    def node_of(self, relay: Relay) -> NodeLoad | None:
        """Return the node of `relay`; None if it is at no node, or has ended."""
        return self._relays.get(relay)

    def count_at(self, incarnation: Incarnation) -> int:
        """Return how many relays are at one node."""
        return len(self._at.get(incarnation, ()))

    async def wait_none_at(self, incarnation: Incarnation) -> None:
        """Return when no relay is at one node."""
        while incarnation in self._at:
            await self._none_at.setdefault(incarnation, asyncio.Event()).wait()

    def relays_at(self, incarnation: Incarnation) -> list[Relay]:
        """Return the relays at one node, in the order of their arrival there."""
        return list(self._at.get(incarnation, ()))
