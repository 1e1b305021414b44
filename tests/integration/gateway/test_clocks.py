"""Clocks of nodes that are wrong: tickets allow for them, and operators are informed (P-8.13)."""

import time
from collections.abc import Callable
from functools import partial

import pytest
from cluster_kit import Cluster, channel_node, cluster
from gateway_kit import eventually
from websockets.asyncio.client import connect as connect_patiently

from ringway.core.clock_skew import CORRECTED_S_MAX
from ringway.core.explain import problems_of
from ringway.protocol.group import CHANNELS
from ringway.protocol.order import MoveOrder
from ringway.types import NodeName
from support.log_capture import capture_logs

PATH = "/connection/websocket"

connect = partial(connect_patiently, close_timeout=0.1)


class Wall:
    """A wall clock that is `ahead_s` of the right one."""

    def __init__(self, ahead_s: float) -> None:
        self.ahead_s = ahead_s

    def __call__(self) -> float:
        return time.time() + self.ahead_s


def skew(made: Cluster, name: str) -> float:
    node = made.directory.groups.nodes.get(NodeName(name))
    return node.skew_s if node is not None else 0.0


def measured(made: Cluster, name: str, ahead_s: float) -> Callable[[], bool]:
    return lambda: abs(skew(made, name) - ahead_s) < 1.0


@pytest.mark.parametrize("ahead_s", [-50.0, 50.0])
async def test_a_node_whose_clock_is_wrong_takes_its_clients_all_the_same(ahead_s: float):
    with capture_logs() as events:
        async with (
            cluster(knock=True) as made,
            channel_node(made, "n1", wall=Wall(ahead_s), report_interval_s=0.1) as node,
        ):
            await eventually(lambda: len(made.directory.groups.eligible) == 1)
            if ahead_s > 0:
                assert measured(made, "n1", ahead_s)()  # by the first report
            await open_both_ways(made)
            await eventually(measured(made, "n1", ahead_s))
            await open_both_ways(made)
            await eventually(lambda: node.stats.accepted == 4)
            assert not node.stats.refused
            assert not made.directory.groups.nodes[NodeName("n1")].barred
            await eventually(lambda: any("the clock of a member differs" in str(event) for event in events))
            assert "tickets allow for it" in problems_of(made.directory.groups.nodes.values())[NodeName("n1")]
    lines = [event for event in events if "the clock of a member differs" in str(event)]
    assert len(lines) == 1
    assert ("s ahead of" if ahead_s > 0 else "s behind") in str(lines[0])


async def open_both_ways(made: Cluster) -> None:
    """Open one WebSocket through the gateway, and one where it says."""
    async with connect(made.url(PATH)):
        pass
    status, answer = await made.get("/gateway")
    assert status == 200
    async with connect(answer["url"]):
        pass


async def test_a_node_beyond_what_tickets_allow_gets_no_clients_until_its_clock_is_set():
    wall = Wall(CORRECTED_S_MAX + 10)
    async with (
        cluster(knock=True) as made,
        channel_node(made, "n1", wall=wall, report_interval_s=0.1) as node,
        channel_node(made, "n2") as right,
    ):
        await eventually(lambda: len(made.directory.groups.eligible) == 2)
        bad = made.directory.groups.nodes[NodeName("n1")]
        await eventually(lambda: "tickets allow for 60 s" in bad.barred)
        for _ in range(6):
            async with connect(made.url(PATH)):
                pass
        assert (node.stats.accepted, right.stats.accepted) == (0, 6)
        wall.ahead_s = 0.0
        await eventually(lambda: not bad.barred)


async def test_a_client_is_moved_between_nodes_whose_clocks_differ():
    donors, targets = Wall(0.0), Wall(0.0)
    async with (
        cluster("least-connected", knock=True) as made,
        channel_node(made, "n1", wall=donors, report_interval_s=0.1, move_cool_down_s=0.0) as donor,
        channel_node(made, "n2", wall=targets, report_interval_s=0.1, weight=0.0) as target,
    ):
        await eventually(lambda: len(made.directory.groups.eligible) == 1)
        donors.ahead_s, targets.ahead_s = 10.0, 50.0  # now: calls that seem older than their receiver are refused
        await eventually(measured(made, "n1", 10.0))
        await eventually(measured(made, "n2", 50.0))
        difference = made.directory.groups[CHANNELS].view.clock_difference_s(NodeName("n1"), NodeName("n2"))
        assert difference == pytest.approx(40.0, abs=2.0)
        async with connect(made.url(PATH)) as client:
            await client.send('{"id":1,"connect":{}}')
            await client.recv()
            await eventually(lambda: donor.connections == 1)
            order = MoveOrder(fence=1, target=NodeName("n2"), count=1, within_s=0.0, clock_s=difference)
            await made.ask_node("n1", order)
            await eventually(lambda: target.stats.resumed == 1)
            await eventually(lambda: made.gateway.stats.moved == 1)
        assert not target.stats.refused


async def test_if_most_clocks_differ_the_gateway_says_that_its_own_is_wrong():
    with capture_logs() as events:
        async with (
            cluster() as made,
            channel_node(made, "n1", wall=Wall(20.0)),
            channel_node(made, "n2", wall=Wall(20.0)),
            channel_node(made, "n3", wall=Wall(20.0)),
        ):
            await eventually(lambda: any("the clock of this gateway differs" in str(event) for event in events))
    assert len([event for event in events if "the clock of this gateway differs" in str(event)]) == 1


async def test_a_node_that_starts_with_its_clock_ahead_obeys_orders_at_once():
    async with cluster() as made, channel_node(made, "n1", wall=Wall(50.0)):
        await made.ask_node("n1", MoveOrder(fence=1, target=NodeName("n2"), count=0, within_s=0.0))
