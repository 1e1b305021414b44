"""Where tunnels are, and whose load they are."""

from typing import Any, cast

import pytest

from ringway.core.load import LoadView
from ringway.gateway.proxy.relay import Tunnel
from ringway.gateway.proxy.table import Berths
from sample import equal, view_of


def tunnel() -> Tunnel:
    return cast(Any, object())


@pytest.fixture
def view() -> LoadView:
    return view_of(equal(2))


@pytest.mark.parametrize("counts", [True, False])
def test_a_tunnel_is_at_one_node_at_a_time(view: LoadView, counts: bool) -> None:
    one, two = view.eligible
    before = one.connections
    berths = Berths(view, counts=counts)
    moving, staying = tunnel(), tunnel()
    for each in (moving, staying):
        berths.enter(each, one)
    assert set(berths.at(one.incarnation)) == {moving, staying}
    assert one.connections == before + 2 * counts
    assert berths.leave(moving) is one
    assert berths.leave(moving) is None
    assert berths.of(moving) is None
    assert one.connections == before + counts
    berths.enter(moving, two)
    assert (berths.of(moving), berths.of(staying)) == (two, one)
    assert berths.at(two.incarnation) == [moving]
    assert two.connections == before + counts
    berths.enter(moving, one)
    assert (berths.at(two.incarnation), two.connections) == ([], before)


def test_who_is_over_is_forgotten_wherever_it_was(view: LoadView) -> None:
    one, _ = view.eligible
    before = one.connections
    berths = Berths(view, counts=True)
    moving, staying = tunnel(), tunnel()
    assert berths.empty.is_set()
    for each in (moving, staying):
        berths.enter(each, one)
    berths.leave(moving)
    assert len(berths) == 2
    assert not berths.empty.is_set()
    berths.over(moving)
    assert list(berths) == [staying]
    berths.over(staying)
    assert berths.empty.is_set()
    assert berths.of(staying) is None
    assert one.connections == before
