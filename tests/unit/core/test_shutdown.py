"""The time at which a stopping node may end."""

from ringway.core.shutdown import HEARD_S, NOWHERE_S, End, ShutdownConditions

BEGAN = 100.0


def conditions(within_s: float = 30.0, closing_s: float = 3.0) -> ShutdownConditions:
    return ShutdownConditions(within_s, closing_s, BEGAN)


def look(
    until: ShutdownConditions,
    after_s: float,
    *,
    left: int = 5,
    coming: int = 0,
    others: int = 1,
    takers: int = 1,
    gateways: int = 1,
) -> End | None:
    return until.observe(BEGAN + after_s, left=left, coming=coming, others=others, takers=takers, gateways=gateways)


def test_it_goes_when_nobody_is_left() -> None:
    until = conditions()
    assert look(until, 0.0) is None
    assert look(until, 10.0, left=1) is None
    assert look(until, 10.2, left=0) is End.EMPTY


def test_an_empty_one_waits_until_every_gateway_has_heard() -> None:
    until = conditions()
    assert look(until, 0.0, left=0) is None
    assert look(until, HEARD_S - 0.1, left=0) is None
    assert look(until, HEARD_S, left=0) is End.EMPTY
    assert look(conditions(), 0.0, left=0, gateways=0) is End.EMPTY


def test_who_is_on_the_way_is_waited_for() -> None:
    until = conditions()
    look(until, 0.0, left=0)
    assert look(until, 5.0, left=0, coming=2) is None
    assert look(until, 6.0, left=0) is End.EMPTY


def test_it_goes_when_its_time_is_over_and_closing_is_allowed_for() -> None:
    until = conditions(within_s=10.0, closing_s=3.0)
    assert look(until, 12.9) is None
    assert look(until, 13.0) is End.DEADLINE
    assert look(conditions(within_s=10.0), 20.0, left=0, coming=3) is End.DEADLINE


def test_without_another_node_it_does_not_wait() -> None:
    assert look(conditions(), 0.0, others=0, takers=0) is End.NOWHERE


def test_where_a_gateway_knows_no_node_yet_that_takes_connections_it_waits() -> None:
    until = conditions()
    assert look(until, 0.0, takers=0) is None
    assert look(until, 1.0, takers=1) is None
    assert look(until, 2.0, takers=0) is None
    assert look(until, 2.0 + NOWHERE_S, takers=0) is End.NOWHERE


def test_without_a_gateway_nobody_would_order_moves() -> None:
    until = conditions()
    assert look(until, 0.0, gateways=0, others=0, takers=0) is None
    assert look(until, HEARD_S, gateways=0, others=0, takers=0) is End.UNLED


def test_a_node_that_has_just_started_waits_until_it_hears_the_gateways() -> None:
    until = conditions()
    assert look(until, 0.0, gateways=0, others=0, takers=0) is None
    assert look(until, HEARD_S - 0.1) is None
    until = conditions()
    assert look(until, 0.0, gateways=0, others=0, takers=0) is None
    assert look(until, 1.0, others=0, takers=0) is End.NOWHERE


def test_a_gateway_that_dies_later_is_waited_for() -> None:
    until = conditions()
    look(until, 0.0)
    assert look(until, 20.0, gateways=0) is None


def test_where_all_others_drain_as_well_it_does_not_wait_and_a_restart_is_not_that() -> None:
    until = conditions()
    look(until, 0.0)
    assert look(until, 4.0, takers=0) is None
    assert look(until, 4.0 + NOWHERE_S - 0.1, takers=0) is None
    assert look(until, 5.0 + NOWHERE_S, takers=1) is None
    assert look(until, 10.0, takers=0) is None
    assert look(until, 10.0 + NOWHERE_S, takers=0) is End.NOWHERE
