"""Carries out what members ask of this node: moves, counting misplaced keys, draining (PROTOCOL.md P-7, P-9).

Moves of an order are spread evenly over its time, and of two leaders only the newer one is obeyed, by its fencing
number. How one connection leaves is in `handover`.
"""

import asyncio
from typing import TYPE_CHECKING

import structlog

from ringway.core.hashing import TABLES
from ringway.errors import ProtocolError
from ringway.member.selection import Picker
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

if TYPE_CHECKING:
    from ringway.member.drain import Drain
    from ringway.node.connection.connection import Connection
    from ringway.node.sessions.donor import SessionDonors
    from ringway.node.shared import Shared
    from ringway.ports import Serving

WITHIN_S_MAX = 60.0
"""The longest time that an order may be spread over; the leader sends one a second."""

AVOID_MAX = 1000
"""Nodes that a drain may avoid: they stand in each report meanwhile."""

ORDERS_MAX = 1000
"""Orders that may be under way at one time; more are refused."""

_log = structlog.get_logger()


class Mover:
    """Serves the node's bus address, and owns the orders under way."""

    def __init__(self, shared: "Shared", handovers: "SessionDonors", drain: "Drain", ring_secret: bytes) -> None:
        self._shared = shared
        self._handovers = handovers
        self._drain = drain
        self._picker = Picker(shared, ring_secret)
        self._fence = 0
        self._orders: set[asyncio.Task[None]] = set()
        self._serving: Serving | None = None

    async def start(self) -> None:
        """Begin to take requests."""
        self._serving = await self._shared.engine.bus.serve(node_address(self._shared.name), self.handle)

    async def stop(self) -> None:
        """Take no more requests, and drop the orders under way."""
        if self._serving is not None:
            await self._serving.close()
        for order in self._orders:
            order.cancel()
        await asyncio.gather(*self._orders, return_exceptions=True)
        self._picker.close()

    async def handle(self, raw: bytes) -> bytes:
        """Answer one request (`ports.Handler`)."""
        try:
            request = decode_node_request(raw)
        except ProtocolError as error:
            return encode(NodeRefusal(why=str(error)))
        if isinstance(request, MoveOrder):
            return encode(self._take(request))
        if isinstance(request, CountMisplaced):
            return encode(await self._count(request))
        return encode(self._set_state(request))

    def _set_state(self, request: SetState) -> NodeAnswer:
        if not request.within_s >= 0:
            return NodeRefusal(why=f"a drain within {request.within_s} s: give the seconds, or 0 for no deadline")
        if self._drain.stopping:
            return NodeRefusal(
                why=f"{self._shared.name} was told to stop and drains for that; nothing else can be asked of it"
            )
        if len(request.avoid) > AVOID_MAX:
            return NodeRefusal(why=f"{len(request.avoid)} nodes to avoid; name {AVOID_MAX} at most")
        now = self._shared.clock()
        self._drain.set(draining=request.draining, within_s=request.within_s, now=now, avoid=request.avoid)
        return NodeConsent()

    def _take(self, order: MoveOrder) -> NodeAnswer:
        if order.fence < self._fence:
            return NodeRefusal(why=f"the order has fencing number {order.fence}, a newer leader's is {self._fence}")
        if order.target == self._shared.name:
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
        task = asyncio.get_running_loop().create_task(self._carry_out(order))
        self._orders.add(task)
        task.add_done_callback(self._orders.discard)
        return NodeConsent()

    async def _carry_out(self, order: MoveOrder) -> None:
        ends_at = self._shared.clock() + order.within_s
        victims: list[Connection] = []
        moved = 0
        try:
            victims = await self._picker.choose(order)
            begun = self._shared.clock()
            pause_s = max(0.0, ends_at - begun) / max(1, len(victims))
            for index, connection in enumerate(victims):
                wait_s = begun + index * pause_s - self._shared.clock()
                if wait_s > 0:
                    await asyncio.sleep(wait_s)
                if order.fence < self._fence:
                    break  # a newer leader plans from what it sees now
                if connection.may_leave:
                    await self._handovers.send_off(connection, order.target)
                    moved += 1
        except Exception:
            _log.exception("an order failed", target=order.target)
        finally:
            self._picker.release(victims)
        _log.info("moved connections", target=order.target, ordered=order.count, moved=moved)

    async def _count(self, request: CountMisplaced) -> NodeAnswer:
        if not any(weight > 0 for weight in request.owners.weights.values()):
            return NodeRefusal(why="nobody owns keys; give at least one node of positive weight")
        if request.owners.table not in TABLES:
            return _unknown_table(request.owners)
        return NodeConsent(misplaced=await self._picker.count(request.owners))


def _unknown_table(owners: Owners) -> NodeRefusal:
    return NodeRefusal(why=f"the table {owners.table!r} is unknown; there are {', '.join(TABLES)}")
