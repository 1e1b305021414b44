"""Recent orders to the clients of users: what a session must still be told that comes from a different node.

A session on its way is no connection. An order that arrives meanwhile is remembered here, and carried out when the
session is served: all orders that came after the session was prepared. A disconnect may also have come before that,
and missed the connection at the donor by a moment: so it counts for all sessions whose connection is older than the
order, by the clocks of both nodes. Other orders do not: a client may have subscribed again since.

Overflow rule: above `orders_max` the oldest is forgotten. A session that was prepared before that is not served.
"""

from collections import deque

from ringway.protocol.user_order import DisconnectOrder, NewestOrder, UserOrder


class RecentOrders:
    """The orders of the last `keep_s` seconds. `now` is monotonic, in seconds."""

    __slots__ = ("_forgotten", "_keep_s", "_of", "_orders", "_orders_max", "number")

    def __init__(self, keep_s: float, orders_max: int = 10_000) -> None:
        self._keep_s = keep_s
        self._orders_max = orders_max
        self._orders: deque[tuple[float, str]] = deque()  # end and user of each, in the order of their arrival
        self._of: dict[str, deque[tuple[int, UserOrder]]] = {}
        self._forgotten = 0  # the number of the newest order that was forgotten early
        self.number = 0
        """The number of the newest order."""

    def __len__(self) -> int:
        return len(self._orders)

    def add(self, order: UserOrder, now: float) -> None:
        """Remember an order that was received now."""
        self.number += 1
        self._orders.append((now + self._keep_s, order.user))
        self._of.setdefault(order.user, deque()).append((self.number, order))
        if len(self._orders) > self._orders_max:
            self._forgotten = self._drop()

    def remembers_since(self, number: int) -> bool:
        """True if no order after `number` was forgotten early."""
        return number >= self._forgotten

    def due(self, user: str, client: str, since: int, connected_at: float) -> list[UserOrder]:
        """Return the orders to carry out for a session, in the order of their arrival.

        It was prepared when `since` was the newest number; its client connected at `connected_at`, in Unix seconds (0:
        not known, then no earlier order counts).
        """
        return [
            order
            for number, order in self._of.get(user, ())
            if order.concerns(client)
            and not (isinstance(order, NewestOrder) and connected_at and order.is_newer(client, connected_at))
            and (number > since or (isinstance(order, DisconnectOrder) and 0.0 < connected_at < order.at))
        ]

    def tick(self, now: float) -> None:
        """Forget the orders whose time is over."""
        while self._orders and self._orders[0][0] <= now:
            self._drop()

    def _drop(self) -> int:
        """Forget the oldest order; return its number."""
        _, user = self._orders.popleft()
        orders = self._of[user]
        number, _ = orders.popleft()
        if not orders:
            del self._of[user]
        return number
