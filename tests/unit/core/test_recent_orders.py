"""Recent orders: which of them concern a session that comes."""

from typing import Any

from ringway.core.recent_orders import RecentOrders
from ringway.protocol.user_order import DisconnectOrder, UnsubscribeOrder, UserOrder

KEEP_S = 60.0


def disconnect(at: float = 100.0, **said: Any) -> DisconnectOrder:
    return DisconnectOrder(**{"user": "u", "code": 3503, "reason": "r", "at": at, **said})


def recent(*orders: UserOrder) -> RecentOrders:
    found = RecentOrders(KEEP_S)
    for order in orders:
        found.add(order, 0.0)
    return found


def test_orders_after_the_preparation_concern_the_session() -> None:
    orders = recent(disconnect(), UnsubscribeOrder(user="u", channel="c"))
    since = orders.number
    later = UnsubscribeOrder(user="u", channel="d")
    orders.add(later, 0.0)
    orders.add(UnsubscribeOrder(user="other", channel="d"), 0.0)
    assert orders.due("u", "a", since, 0.0) == [later]


def test_an_earlier_disconnect_concerns_clients_that_had_connected_before() -> None:
    order = disconnect(at=100.0)
    orders = recent(order, UnsubscribeOrder(user="u", channel="c"))
    assert orders.due("u", "a", orders.number, 99.0) == [order]
    assert orders.due("u", "a", orders.number, 101.0) == []
    assert orders.due("u", "a", orders.number, 0.0) == []


def test_an_order_names_clients_or_spares_them() -> None:
    orders = recent(disconnect(client="a"), disconnect(session="b"), disconnect(spared=("a", "b")))
    assert [len(orders.due("u", client, 0, 0.0)) for client in ("a", "b", "c")] == [1, 1, 1]


def test_orders_are_forgotten_in_time() -> None:
    orders = recent(disconnect())
    orders.tick(KEEP_S - 1)
    assert len(orders) == 1
    orders.tick(KEEP_S)
    assert len(orders) == 0
    assert orders.due("u", "a", 0, 0.0) == []
    assert orders.remembers_since(0), "no session from before is on its way any more"


def test_a_session_from_before_a_forgotten_order_is_found_out() -> None:
    orders = RecentOrders(KEEP_S, orders_max=2)
    for number in range(3):
        orders.add(disconnect(at=number), 0.0)
    assert len(orders) == 2
    assert not orders.remembers_since(0)
    assert orders.remembers_since(1)
