"""A simulated node: it serves clients at its rate, queues further clients, and refuses them if the wait is too long."""

import numpy as np

from ringway.sim.node import QUEUE_S, SimNode
from ringway.types import Incarnation, NodeName


def node(handshakes_per_s: float = 10.0, connections_max: int = 0) -> SimNode:
    made = SimNode(
        0, NodeName("node-1"), weight=1.0, handshakes_per_s=handshakes_per_s, connections_max=connections_max, zone=""
    )
    made.begin(Incarnation("0000000a"), 0, 0.0)
    return made


def test_handshakes_take_their_time_in_the_order_of_arrival() -> None:
    made = node(10.0)
    assert len(made.queue(np.arange(4))) == 0
    served = [made.serve(0.1).tolist() for _ in range(5)]
    assert served == [[0], [1], [2], [3], []]
    assert made.pending == 0


def test_more_than_it_can_serve_in_time_are_refused() -> None:
    made = node(10.0)
    refused = made.queue(np.arange(80))
    assert refused.tolist() == list(range(int(10 * QUEUE_S), 80))


def test_a_maximum_is_kept() -> None:
    made = node(connections_max=5)
    made.connections = 3
    assert made.queue(np.arange(4)).tolist() == [2, 3]


def test_it_reports_early_only_when_much_has_changed() -> None:
    made = node()
    assert made.has_news(0.0)
    made.report(0.0, 1.0)
    assert not made.has_news(0.5)
    made.connections = 5
    assert not made.has_news(0.1)
    assert made.has_news(0.2)
    made.report(0.2, 1.0)
    assert not made.has_news(1.1)
    assert made.has_news(1.2)
