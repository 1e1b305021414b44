"""Orders and answers on the bus."""

import msgspec
import pytest

from ringway.errors import ProtocolError
from ringway.protocol import order
from ringway.types import NodeName

N1, N2 = NodeName("n1"), NodeName("n2")


@pytest.mark.parametrize(
    "request_",
    [
        order.MoveOrder(fence=7, target=N2, count=30, within_s=1.0),
        order.MoveOrder(fence=7, target=N2, count=30, within_s=1.0, owners="0123456789abcdef"),
        order.SetState(draining=True),
    ],
)
def test_requests_to_nodes_travel(request_: order.NodeRequest) -> None:
    assert order.decode_node_request(order.encode(request_)) == request_


@pytest.mark.parametrize("answer", [order.NodeConsent(), order.NodeRefusal(why="too old")])
def test_answers_of_nodes_travel(answer: order.NodeAnswer) -> None:
    assert order.decode_node_answer(order.encode(answer)) == answer


def test_the_plan_travels() -> None:
    plan = order.PlanAnswer(
        quotas=(order.QuotaRow(donor=N1, target=N2, count=5),),
        reason="because",
        imbalance=0.5,
        moves_per_s=5.0,
        fair={N1: 7.5},
        load={N1: 12.0},
    )
    assert order.decode_plan_answer(order.encode(plan)) == plan
    assert order.decode_balancer_request(order.encode(order.Rebalance(dry_run=True))).dry_run


def test_the_words_are_those_of_the_protocol() -> None:
    raw = order.encode(order.MoveOrder(fence=7, target=N2, count=30, within_s=1.0, clock_s=-0.25))
    assert msgspec.json.decode(raw) == {
        "type": "move",
        "fence": 7,
        "target": "n2",
        "count": 30,
        "within_s": 1.0,
        "owners": "",
        "clock_s": -0.25,
    }


@pytest.mark.parametrize("raw", [b"", b"{}", b'{"type":"explode"}', b'{"type":"done"}', b'{"type":"move","fence":1}'])
def test_what_is_no_request_is_refused(raw: bytes) -> None:
    with pytest.raises(ProtocolError):
        order.decode_node_request(raw)


def test_nodes_serve_an_address_of_their_own() -> None:
    assert order.node_address(N1) == "node.n1"
    assert order.BALANCER == "balancer"
