"""What gateways say of a node's URL, as the node tells its operator."""

from ringway.core.reachability import KEEP_S, WHY_LENGTH_MAX, Reachability
from ringway.types import NodeName

G1, G2 = NodeName("gateway-1"), NodeName("gateway-2")
WHY = "its URL ws://x cannot be reached; correct the node's --url"


def test_a_node_that_no_gateway_reaches_says_so_with_the_remedy() -> None:
    reachability = Reachability()
    assert reachability.problem([G1], 0.0) == ""
    assert reachability.on_unreached(G1, WHY, 0.0)
    assert not reachability.on_unreached(G1, WHY, 5.0), "it is logged once"
    assert reachability.problem([G1], 6.0) == f"no gateway could open this node, so it gets no clients there: {WHY}"


def test_if_one_of_several_gateways_does_not_reach_it_the_number_is_told() -> None:
    reachability = Reachability()
    reachability.on_unreached(G2, WHY, 0.0)
    assert reachability.problem([G1, G2], 1.0).startswith("1 of 2 gateways could not open this node")
    reachability.on_unreached(G1, WHY, 1.0)
    told = reachability.problem([G1, G2], 1.0)
    assert told.startswith("no gateway")
    assert told.count(WHY) == 1
    assert reachability.problem([], 1.0) == "", "a gateway that is gone says nothing"


def test_it_is_over_when_no_gateway_repeats_it_and_logged_when_it_begins_again() -> None:
    reachability = Reachability()
    reachability.on_unreached(G1, WHY, 0.0)
    assert reachability.problem([G1], KEEP_S) == ""
    assert reachability.on_unreached(G1, "x" * 10_000, KEEP_S)
    assert len(reachability.problem([G1], KEEP_S)) < WHY_LENGTH_MAX + 100
