"""Orders of the leading balancer and of operators, carried out: moves, counts, drains (PROTOCOL.md P-7, P-9).

The moves of an order are spread evenly over its time. Of two leaders only the newer is obeyed, by its fencing number.
How one connection leaves is up to the holder.
"""

import asyncio
from collections.abc import Callable
from typing import Generic

from ringway.core.hashing import TABLES
from ringway.errors import ProtocolError
from ringway.logger import get_logger
from ringway.member.drain import Drain
from ringway.member.holder import C, Holder
from ringway.member.selection import MoveSelection
from ringway.ports import Bus, Serving
from ringway.protocol.order import (
    CountMisplaced,
    MoveOrder,
    NodeAnswer,
    NodeConsent,
    NodeRefusal,
    Owners,
    SetState,
    decode_node_request,
    encode,
    node_address,
)
from ringway.tasks import Tasks
from ringway.types import NodeName

WITHIN_S_MAX = 60.0
"""The longest time that an order may be spread over; the leader sends one a second."""

AVOID_MAX = 1000
"""Nodes that a drain may avoid: each report carries them meanwhile."""

ORDERS_MAX = 1000
"""Orders that may be under way at one time; more are refused."""

_log = get_logger()


class OrderHandler(Generic[C]):
    """Serves the bus address of the member `name`, and owns the orders under way. `clock` is monotonic."""

    def __init__(
        self,
        name: NodeName,
        bus: Bus,
        holder: Holder[C],
        selection: MoveSelection[C],
        drain: Drain,
        clock: Callable[[], float],
    ) -> None:
        self._name = name
        self._bus = bus
        self._holder = holder
        self._selection = selection
        self._drain = drain
        self._clock = clock
        self._fence = 0
        self._orders = Tasks()
        self._serving: Serving | None = None

    async def start(self) -> None:
        """Serve requests from now on."""
        self._serving = await self._bus.serve(node_address(self._name), self.handle)

    async def stop(self) -> None:
        """Serve no more requests, and drop the orders under way."""
        if self._serving is not None:
            await self._serving.close()
        await self._orders.aclose()
        self._selection.close()

    async def handle(self, raw: bytes) -> bytes:
        """Answer one request (`ports.Handler`)."""
        try:
            request = decode_node_request(raw)
        except ProtocolError as error:
            return encode(NodeRefusal(why=str(error)))
        if isinstance(request, MoveOrder):
            return encode(self._accept(request))
        if isinstance(request, CountMisplaced):
            return encode(await self._count(request))
        return encode(self._set_state(request))

    def _set_state(self, request: SetState) -> NodeAnswer:
        if not request.within_s >= 0:
            return NodeRefusal(why=f"a drain within {request.within_s} s: give the seconds, or 0 for no deadline")
        if self._drain.stopping:
            return NodeRefusal(
                why=f"{self._name} was told to stop and drains for that; nothing else can be asked of it"
            )
        if len(request.avoid) > AVOID_MAX:
            return NodeRefusal(why=f"{len(request.avoid)} nodes to avoid; name {AVOID_MAX} at most")
        self._drain.set_state(
            draining=request.draining, within_s=request.within_s, now=self._clock(), avoid=request.avoid
        )
        return NodeConsent()

    def _accept(self, order: MoveOrder) -> NodeAnswer:
        if order.fence < self._fence:
            return NodeRefusal(why=f"the order has fencing number {order.fence}, a newer leader's is {self._fence}")
        if order.target == self._name:
            return NodeRefusal(why=f"the order's target {order.target} is this node itself")
        if not 0 <= order.within_s <= WITHIN_S_MAX or order.count < 0:
            return NodeRefusal(
                why=f"{order.count} moves within {order.within_s} s: give 0 or more within 0 to {WITHIN_S_MAX:g} s"
            )
        if order.owners is not None and order.owners.weights.get(order.target, 0.0) <= 0:
            return NodeRefusal(why=f"the order's target {order.target} owns no keys")
        if order.owners is not None and order.owners.table not in TABLES:
            return _unknown_table(order.owners)
        if len(self._orders) >= ORDERS_MAX:
            return NodeRefusal(why=f"{ORDERS_MAX} orders are under way already; wait")
        self._fence = order.fence
        self._orders.spawn(self._carry_out(order), name=f"order to move connections to {order.target}")
        return NodeConsent()

    async def _carry_out(self, order: MoveOrder) -> None:
        ends_at = self._clock() + order.within_s
        selected: list[C] = []
        moved = 0
        try:
            selected = await self._selection.select_for(order)
            begun = self._clock()
            pause_s = max(0.0, ends_at - begun) / max(1, len(selected))
            for index, connection in enumerate(selected):
                wait_s = begun + index * pause_s - self._clock()
                if wait_s > 0:
                    await asyncio.sleep(wait_s)
                if order.fence < self._fence:
                    break  # a newer leader plans from the present
                if connection.may_leave:
                    await self._holder.send_off(connection, order.target)
                    moved += 1
        except Exception:
            _log.exception("an order failed", target=order.target)
        finally:
            self._selection.release(selected)
        _log.info("moved connections", target=order.target, ordered=order.count, moved=moved)

    async def _count(self, request: CountMisplaced) -> NodeAnswer:
        if not any(weight > 0 for weight in request.owners.weights.values()):
            return NodeRefusal(why="nobody owns keys; give at least one node of positive weight")
        if request.owners.table not in TABLES:
            return _unknown_table(request.owners)
        return NodeConsent(misplaced=await self._selection.count_misplaced(request.owners))


def _unknown_table(owners: Owners) -> NodeRefusal:
    return NodeRefusal(why=f"the table {owners.table!r} is unknown; there are {', '.join(TABLES)}")
