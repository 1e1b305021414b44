"""Orders of the leading balancer and of operators, carried out: moves and drains (PROTOCOL.md P-7, P-9).

The moves of an order are spread evenly over its time. If there are two leaders, only the newer is obeyed, by its
fencing number. The holder decides how a connection leaves.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Generic

from ringway.core.clock_skew import CORRECTED_S_MAX
from ringway.errors import ProtocolError
from ringway.logger import get_logger
from ringway.member.drain import Drain
from ringway.member.holder import C, Holder
from ringway.member.selection import MoveSelection
from ringway.ports import Bus, Serving
from ringway.protocol.order import (
    DRAIN_WITHIN_S_MAX,
    MoveOrder,
    NodeAnswer,
    NodeConsent,
    NodeRefusal,
    SetState,
    Unreached,
    decode_node_request,
    encode,
    node_address,
)
from ringway.protocol.owners import Owners
from ringway.tasks import Tasks
from ringway.types import NodeName

WITHIN_S_MAX = 60.0
"""The longest time that an order may be spread over; the leader sends one a second."""

AVOID_MAX = 1000
"""Nodes that a drain may avoid: each report names them during the drain."""

ORDERS_MAX = 1000
"""Orders that may be under way at one time; more are refused."""

CLOCK_S_MAX = 2 * CORRECTED_S_MAX
"""The largest difference between the clocks of two nodes that get clients."""

_log = get_logger()


class OrderHandler(Generic[C]):
    """Serves the bus address of the member `name`, and owns the orders under way. `clock` is monotonic.

    `owners_of` returns the owners of keys of a version, if the member knows them. Requests are served at `addresses`,
    by default at the address of the node `name`. `on_state` is called when a request has set the state, `on_unreached`
    when a gateway says that it could not open the member's URL. `why_not` returns why no client may be moved to a
    target; empty if moves there are allowed.
    """

    def __init__(
        self,
        name: NodeName,
        bus: Bus,
        holder: Holder[C],
        selection: MoveSelection[C],
        drain: Drain,
        clock: Callable[[], float],
        owners_of: Callable[[str], Owners | None] = lambda version: None,
        addresses: Sequence[str] = (),
        on_state: Callable[[], None] = lambda: None,
        on_unreached: Callable[[Unreached], None] = lambda notice: None,
        why_not: Callable[[NodeName], str] = lambda target: "",
    ) -> None:
        self._name = name
        self._bus = bus
        self._holder = holder
        self._selection = selection
        self._drain = drain
        self._clock = clock
        self._owners_of = owners_of
        self._addresses = addresses or (node_address(name),)
        self._on_state = on_state
        self._on_unreached = on_unreached
        self._why_not = why_not
        self._fence = 0
        self._orders = Tasks()
        self._servings: list[Serving] = []

    async def start(self) -> None:
        """Serve requests from now on."""
        for address in self._addresses:
            self._servings.append(await self._bus.serve(address, self.handle))

    async def stop(self) -> None:
        """Serve no more requests, and drop the orders under way."""
        servings, self._servings = self._servings, []
        for serving in servings:
            await serving.close()
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
        if isinstance(request, Unreached):
            self._on_unreached(request)
            return encode(NodeConsent())
        return encode(self._set_state(request))

    def _set_state(self, request: SetState) -> NodeAnswer:
        if not 0 <= request.within_s <= DRAIN_WITHIN_S_MAX:
            return NodeRefusal(
                why=f"a drain within {request.within_s} s: give at most {DRAIN_WITHIN_S_MAX:g} s, or 0 for no deadline"
            )
        if self._drain.stopping:
            return NodeRefusal(
                why=f"{self._name} was told to stop and drains for that; nothing else can be asked of it"
            )
        if len(request.avoid) > AVOID_MAX:
            return NodeRefusal(why=f"{len(request.avoid)} nodes to avoid; name {AVOID_MAX} at most")
        self._drain.set_state(
            draining=request.draining, within_s=request.within_s, now=self._clock(), avoid=request.avoid
        )
        self._on_state()
        return NodeConsent()

    def _accept(self, order: MoveOrder) -> NodeAnswer:
        if order.fence < self._fence:
            return NodeRefusal(why=f"the order has fencing number {order.fence}, a newer leader's is {self._fence}")
        if order.target == self._name:
            return NodeRefusal(why=f"the order's target {order.target} is this node itself")
        if why := self._why_not(order.target):
            return NodeRefusal(why=why)
        if not 0 <= order.within_s <= WITHIN_S_MAX or order.count < 0:
            return NodeRefusal(
                why=f"{order.count} moves within {order.within_s} s: give 0 or more within 0 to {WITHIN_S_MAX:g} s"
            )
        if not abs(order.clock_s) <= CLOCK_S_MAX:
            return NodeRefusal(why=f"a clock difference of {order.clock_s} s: give {CLOCK_S_MAX:g} s at most")
        owners = self._owners_of(order.owners) if order.owners else None
        if order.owners and owners is None:
            return NodeRefusal(why=f"owners {order.owners!r} are not known here; order when they have been counted")
        if owners is not None and owners.weights.get(order.target, 0.0) <= 0:
            return NodeRefusal(why=f"the order's target {order.target} owns no keys")
        if len(self._orders) >= ORDERS_MAX:
            return NodeRefusal(why=f"{ORDERS_MAX} orders are under way already; wait")
        self._fence = order.fence
        self._orders.spawn(self._carry_out(order, owners), name=f"order to move connections to {order.target}")
        return NodeConsent()

    async def _carry_out(self, order: MoveOrder, owners: Owners | None) -> None:
        ends_at = self._clock() + order.within_s
        selected: list[C] = []
        moved = 0
        try:
            selected = await self._selection.select_for(order, owners)
            begun = self._clock()
            pause_s = max(0.0, ends_at - begun) / max(1, len(selected))
            for index, connection in enumerate(selected):
                wait_s = begun + index * pause_s - self._clock()
                if wait_s > 0:
                    await asyncio.sleep(wait_s)
                if order.fence < self._fence:
                    break  # a newer leader plans from the present
                if connection.may_leave:
                    await self._holder.send_off(connection, order.target, order.clock_s)
                    moved += 1
        except Exception:
            _log.exception("an order failed", target=order.target)
        finally:
            self._selection.release(selected)
        _log.info("moved connections", target=order.target, ordered=order.count, moved=moved)
