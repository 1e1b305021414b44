"""Table of the relays of a gateway, and of the node that each is at.

Static backends report no load, so it is counted here, relay by relay.
"""

import asyncio
from collections.abc import Iterator

from ringway.core.load import LoadView, NodeLoad
from ringway.gateway.proxy.relay import Relay
from ringway.types import Incarnation


class RelayTable:
    """A relay between two nodes is at the node that it is expected at, or at none.

    `counts`: the nodes are static backends, so a relay counts as load of the node that it is at.
    """

    def __init__(self, view: LoadView, *, counts: bool) -> None:
        self._view = view
        self._counts = counts
        self._relays: dict[Relay, NodeLoad | None] = {}
        self._at: dict[Incarnation, set[Relay]] = {}
        self.empty = asyncio.Event()
        self.empty.set()

    def __iter__(self) -> Iterator[Relay]:
        return iter(list(self._relays))

    def __len__(self) -> int:
        return len(self._relays)

    def enter(self, relay: Relay, node: NodeLoad) -> None:
        """Put `relay` at `node`, and no more where it was."""
        self.leave(relay)
        self.empty.clear()
        self._relays[relay] = node
        self._at.setdefault(node.incarnation, set()).add(relay)
        if self._counts:
            self._view.arrived(node)

    def leave(self, relay: Relay) -> NodeLoad | None:
        """Put `relay` at no node; return the node that it was at, None if it was at none."""
        node = self._relays.get(relay)
        self._relays[relay] = None
        if node is not None:
            here = self._at[node.incarnation]
            here.discard(relay)
            if not here:
                del self._at[node.incarnation]
            if self._counts:
                self._view.departed(node)
        return node

    def remove(self, relay: Relay) -> None:
        """Forget `relay`, which has ended."""
        self.leave(relay)
        del self._relays[relay]
        if not self._relays:
            self.empty.set()

    def node_of(self, relay: Relay) -> NodeLoad | None:
        """Return the node that `relay` is at; None if it is at none, or has ended."""
        return self._relays.get(relay)

    def relays_at(self, incarnation: Incarnation) -> list[Relay]:
        """Return the relays that are at one node."""
        return list(self._at.get(incarnation, ()))
