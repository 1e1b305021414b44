"""The node that each relay is at, and counts at."""

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


@pytest.mark.parametrize("counts", [True, False])
def test_a_relay_is_at_one_node_at_a_time(view: LoadView, counts: bool) -> None:
    one, two = view.eligible
    before = one.connections
    table = RelayTable(view, counts=counts)
    moving, staying = relay(), relay()
    for each in (moving, staying):
        table.enter(each, one)
    assert set(table.relays_at(one.incarnation)) == {moving, staying}
    assert one.connections == before + 2 * counts
    assert table.leave(moving) is one
    assert table.leave(moving) is None
    assert table.node_of(moving) is None
    assert one.connections == before + counts
    table.enter(moving, two)
    assert (table.node_of(moving), table.node_of(staying)) == (two, one)
    assert table.relays_at(two.incarnation) == [moving]
    assert two.connections == before + counts
    table.enter(moving, one)
    assert (table.relays_at(two.incarnation), two.connections) == ([], before)


def test_who_is_over_is_forgotten_wherever_it_was(view: LoadView) -> None:
    one, _ = view.eligible
    before = one.connections
    table = RelayTable(view, counts=True)
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
    assert one.connections == before
