"""At which node each tunnel is. Static backends report no load, so it is counted here, tunnel by tunnel."""

import asyncio
from collections.abc import Iterator

from ringway.core.load import LoadView, NodeLoad
from ringway.gateway.proxy.relay import Tunnel
from ringway.types import Incarnation


class Berths:
    """See the module. A tunnel between two nodes is at the one that it is expected at, or at none."""

    def __init__(self, view: LoadView, *, counts: bool) -> None:
        self._view = view
        self._counts = counts  # whether the nodes are static backends
        self._tunnels: dict[Tunnel, NodeLoad | None] = {}
        self._at: dict[Incarnation, set[Tunnel]] = {}
        self.empty = asyncio.Event()
        self.empty.set()

    def __iter__(self) -> Iterator[Tunnel]:
        return iter(list(self._tunnels))

    def __len__(self) -> int:
        return len(self._tunnels)

    def enter(self, tunnel: Tunnel, node: NodeLoad) -> None:
        """Take note that `tunnel` is at `node` from now on, and no more where it was."""
        self.leave(tunnel)
        self.empty.clear()
        self._tunnels[tunnel] = node
        self._at.setdefault(node.incarnation, set()).add(tunnel)
        if self._counts:
            self._view.arrived(node)

    def leave(self, tunnel: Tunnel) -> NodeLoad | None:
        """Take note that `tunnel` has left its node, which is returned; None where it was at none."""
        node = self._tunnels.get(tunnel)
        self._tunnels[tunnel] = None
        if node is not None:
            here = self._at[node.incarnation]
            here.discard(tunnel)
            if not here:
                del self._at[node.incarnation]
            if self._counts:
                self._view.departed(node)
        return node

    def over(self, tunnel: Tunnel) -> None:
        """Forget `tunnel`."""
        self.leave(tunnel)
        del self._tunnels[tunnel]
        if not self._tunnels:
            self.empty.set()

    def of(self, tunnel: Tunnel) -> NodeLoad | None:
        """Return the node that `tunnel` is at; None where it is at none, or over."""
        return self._tunnels.get(tunnel)

    def at(self, incarnation: Incarnation) -> list[Tunnel]:
        """Return the tunnels that are at one node."""
        return list(self._at.get(incarnation, ()))
