"""The time at which a stopping node may end."""

from ringway.core.departure import HEARD_S, NOWHERE_S, Departure, End

BEGAN = 100.0


def departure(within_s: float = 30.0, closing_s: float = 3.0) -> Departure:
    return Departure(within_s, closing_s, BEGAN)


def look(
    departing: Departure,
    after_s: float,
    *,
    left: int = 5,
    coming: int = 0,
    others: int = 1,
    takers: int = 1,
    gateways: int = 1,
) -> End | None:
    return departing.observe(BEGAN + after_s, left=left, coming=coming, others=others, takers=takers, gateways=gateways)


def test_it_goes_when_nobody_is_left() -> None:
    departing = departure()
    assert look(departing, 0.0) is None
    assert look(departing, 10.0, left=1) is None
    assert look(departing, 10.2, left=0) is End.EMPTY


def test_an_empty_one_waits_until_every_gateway_has_heard() -> None:
    departing = departure()
    assert look(departing, 0.0, left=0) is None
    assert look(departing, HEARD_S - 0.1, left=0) is None
    assert look(departing, HEARD_S, left=0) is End.EMPTY
    assert look(departure(), 0.0, left=0, gateways=0) is End.EMPTY


def test_who_is_on_the_way_is_waited_for() -> None:
    departing = departure()
    look(departing, 0.0, left=0)
    assert look(departing, 5.0, left=0, coming=2) is None
    assert look(departing, 6.0, left=0) is End.EMPTY


def test_it_goes_when_its_time_is_over_and_closing_is_allowed_for() -> None:
    departing = departure(within_s=10.0, closing_s=3.0)
    assert look(departing, 12.9) is None
    assert look(departing, 13.0) is End.DEADLINE
    assert look(departure(within_s=10.0), 20.0, left=0, coming=3) is End.DEADLINE


def test_without_another_node_it_does_not_wait() -> None:
    assert look(departure(), 0.0, others=0, takers=0) is End.NOWHERE


def test_where_a_gateway_knows_no_node_yet_that_takes_connections_it_waits() -> None:
    departing = departure()
    assert look(departing, 0.0, takers=0) is None
    assert look(departing, 1.0, takers=1) is None
    assert look(departing, 2.0, takers=0) is None
    assert look(departing, 2.0 + NOWHERE_S, takers=0) is End.NOWHERE


def test_without_a_gateway_nobody_would_order_moves() -> None:
    departing = departure()
    assert look(departing, 0.0, gateways=0, others=0, takers=0) is None
    assert look(departing, HEARD_S, gateways=0, others=0, takers=0) is End.UNLED


def test_a_node_that_has_just_started_waits_until_it_hears_the_gateways() -> None:
    departing = departure()
    assert look(departing, 0.0, gateways=0, others=0, takers=0) is None
    assert look(departing, HEARD_S - 0.1) is None
    departing = departure()
    assert look(departing, 0.0, gateways=0, others=0, takers=0) is None
    assert look(departing, 1.0, others=0, takers=0) is End.NOWHERE


def test_a_gateway_that_dies_later_is_waited_for() -> None:
    departing = departure()
    look(departing, 0.0)
    assert look(departing, 20.0, gateways=0) is None


def test_where_all_others_drain_as_well_it_does_not_wait_and_a_restart_is_not_that() -> None:
    departing = departure()
    look(departing, 0.0)
    assert look(departing, 4.0, takers=0) is None
    assert look(departing, 4.0 + NOWHERE_S - 0.1, takers=0) is None
    assert look(departing, 5.0 + NOWHERE_S, takers=1) is None
    assert look(departing, 10.0, takers=0) is None
    assert look(departing, 10.0 + NOWHERE_S, takers=0) is End.NOWHERE
