"""Orders in flight: counted as carried out, until the donor's report shows that they were."""

import math

from ringway.core.balance.in_flight import InFlightMoves
from ringway.core.load import LoadView
from ringway.types import NodeName
from sample import GATEWAY, node_report

N1 = NodeName("n1")
N2 = NodeName("n2")


def view(seq: int = 1, *, moved: int = 0, held: int = 0, left: int = 100, there: int = 0) -> LoadView:
    """Return n1, which has moved so many to n2, and n2."""
    view = LoadView(GATEWAY)
    donor = {"connections": left, "moved": {N2: moved}, "reserved": {N2: held}}
    view.reported(node_report("n1", seq, **donor), 0.0)
    view.reported(node_report("n2", seq, connections=there), 0.0)
    return view


def loads(flight: InFlightMoves, view: LoadView, now: float) -> dict[str, int]:
    return {standing.name: standing.load for standing in flight.standings(view.nodes.values(), now)}


def test_what_was_ordered_counts_as_arrived() -> None:
    flight = InFlightMoves()
    flight.ordered(N1, N2, 30, now=0.0)
    standings = {standing.name: standing for standing in flight.standings(view().nodes.values(), 0.0)}
    assert (standings[N1].load, standings[N1].movable) == (70, 70)
    assert (standings[N2].load, standings[N2].movable) == (30, 0)


def test_every_stage_of_a_move_is_counted_once() -> None:
    flight = InFlightMoves()
    assert loads(flight, view(), 0.0) == {"n1": 100, "n2": 0}
    flight.ordered(N1, N2, 30, now=0.0)
    stages = [
        view(2, moved=0, held=0, left=100, there=0),  # not begun
        view(3, moved=20, held=20, left=80, there=0),  # twenty closed, on their way
        view(4, moved=20, held=5, left=80, there=15),  # fifteen arrived
        view(5, moved=30, held=0, left=70, there=30),  # all done
    ]
    assert [loads(flight, stage, 1.0) for stage in stages] == [{"n1": 70, "n2": 30}] * 4


def test_moves_before_this_leadership_are_not_taken_for_its_own() -> None:
    flight = InFlightMoves()
    loads(flight, view(moved=500), 0.0)
    flight.ordered(N1, N2, 30, now=0.0)
    assert loads(flight, view(moved=500), 0.1) == {"n1": 70, "n2": 30}


def test_an_order_that_is_not_carried_out_is_forgotten() -> None:
    flight = InFlightMoves(ttl_s=5.0)
    flight.ordered(N1, N2, 30, now=0.0)
    assert loads(flight, view(), 4.9) == {"n1": 70, "n2": 30}
    assert loads(flight, view(), 5.0) == {"n1": 100, "n2": 0}


def test_nothing_falls_below_zero() -> None:
    flight = InFlightMoves()
    flight.ordered(N1, N2, 30, now=0.0)
    standings = flight.standings(view(left=10).nodes.values(), 0.0)
    assert [(standing.load, standing.movable) for standing in standings] == [(0, 0), (30, 0)]


def test_draining_nodes_are_not_active() -> None:
    nodes = view()
    nodes.reported(node_report("n1", 9, connections=100, draining=True), 0.0)
    assert [standing.active for standing in InFlightMoves().standings(nodes.nodes.values(), 0.0)] == [False, True]


def test_room_is_what_a_node_may_hold_less_what_comes() -> None:
    nodes = view()
    nodes.reported(node_report("n2", 2, connections=40, connections_max=100, zone="east"), 0.0)
    flight = InFlightMoves()
    flight.ordered(N1, N2, 30, now=0.0)
    standings = {standing.name: standing for standing in flight.standings(nodes.nodes.values(), 0.0)}
    assert (standings[N2].room, standings[N2].zone) == (30, "east")
    assert standings[N1].room == math.inf
    assert flight.coming() == {N2: 30}


def test_who_is_barred_has_no_room() -> None:
    nodes = view()
    nodes.set_gates({N2: "too hot"})
    standings = {standing.name: standing for standing in InFlightMoves().standings(nodes.nodes.values(), 0.0)}
    assert standings[N2].room == 0
