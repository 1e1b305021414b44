"""The node that each relay is at."""

from typing import Any, cast

import pytest

from ringway.core.load import LoadView
from ringway.gateway.proxy.relay import Relay
from ringway.gateway.proxy.table import RelayTable
from sample import equal, view_of


def relay() -> Relay:
    return cast(Any, object())


@pytest.fixture
def view() -> LoadView:
    return view_of(equal(2))


def test_a_relay_is_at_one_node_at_a_time(view: LoadView) -> None:
    one, two = view.eligible
    table = RelayTable()
    moving, staying = relay(), relay()
    for each in (moving, staying):
        table.enter(each, one)
    assert set(table.relays_at(one.incarnation)) == {moving, staying}
    assert table.count_at(one.incarnation) == 2
    assert table.leave(moving) is one
    assert table.leave(moving) is None
    assert table.node_of(moving) is None
    assert table.count_at(one.incarnation) == 1
    table.enter(moving, two)
    assert (table.node_of(moving), table.node_of(staying)) == (two, one)
    assert table.relays_at(two.incarnation) == [moving]
    table.enter(moving, one)
    assert (table.relays_at(two.incarnation), table.count_at(two.incarnation)) == ([], 0)


def test_relays_are_listed_in_the_order_of_their_arrival_at_the_node(view: LoadView) -> None:
    one, two = view.eligible
    table = RelayTable()
    first, second, third = relays = [relay() for _ in range(3)]
    for each in relays:
        table.enter(each, one)
    table.enter(first, two)
    table.enter(first, one)
    assert table.relays_at(one.incarnation) == [second, third, first]


def test_who_is_over_is_forgotten_wherever_it_was(view: LoadView) -> None:
    one, _ = view.eligible
    table = RelayTable()
    moving, staying = relay(), relay()
    assert table.empty.is_set()
    for each in (moving, staying):
        table.enter(each, one)
    table.leave(moving)
    assert len(table) == 2
    assert not table.empty.is_set()
    table.remove(moving)
    assert list(table) == [staying]
    table.remove(staying)
    assert table.empty.is_set()
    assert table.node_of(staying) is None
