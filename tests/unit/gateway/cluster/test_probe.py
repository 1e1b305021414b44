"""Probes of nodes: which nodes are asked how quickly they answer, and how their answers count."""

import asyncio
import random
from types import SimpleNamespace
from typing import Any

import pytest

from ringway.core.group import Groups
from ringway.core.load import NodeLoad
from ringway.core.load.response import FAILED_S
from ringway.core.steering import Steering
from ringway.gateway.cluster.probe import POLICY, PROBES_MAX, Probes
from ringway.gateway.config.gateway import GatewayConfig
from ringway.gateway.proxy.addresses import NodeAddresses
from ringway.gateway.proxy.upstream import Unreachable
from ringway.gateway.stats import GatewayStats
from ringway.protocol.group import CHANNELS
from ringway.protocol.report import Report
from ringway.types import Incarnation, Issuer, NodeName, NodeState, Role

INTERVAL_S = 2.0


class Bench:
    """Probes over nodes whose answers the test gives, by a clock that the test moves."""

    def __init__(self, count: int, policy: str = POLICY) -> None:
        self.now = 100.0
        self.view = Groups(Issuer("0badcafe"), lambda name: Steering(policy, b""))
        for index in range(count):
            self.view.reported(report(index), self.now)
        self.stats = GatewayStats()
        self.asked: list[str] = []
        self.under_way = self.most_under_way = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.down: set[str] = set()
        self.probes = Probes(
            self.view,
            Addresses(self).probe,
            self.stats,
            random.Random(1),
            lambda: self.now,
            interval_s=INTERVAL_S,
        )

    async def round(self) -> None:
        await self.probes.round(self.view[CHANNELS])

    async def answer(self, name: str, request: bytes) -> Any:
        assert request.startswith(b"GET / HTTP/1.1\r\n")
        assert b"upgrade" not in request.lower()
        self.asked.append(name)
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            await self.gate.wait()
        finally:
            self.under_way -= 1
        self.now += 0.05
        return SimpleNamespace(transport=asyncio.Transport(), status=404)

    def node(self, index: int) -> NodeLoad:
        return self.view.nodes[NodeName(f"n{index}")]


class Addresses(NodeAddresses):
    """The nodes of a world: each is known by its name, and answers there."""

    def __init__(self, world: Bench) -> None:
        super().__init__(GatewayConfig())
        self._world = world

    def address_of(self, node: NodeLoad) -> Any:
        if node.name in self._world.down:
            raise Unreachable(502, "no such address")
        return SimpleNamespace(authority=node.name)

    async def send_request(self, address: Any, request: bytes) -> Any:
        return await self._world.answer(address.authority, request)


def report(index: int, **fields: Any) -> Report:
    return Report(
        name=NodeName(f"n{index}"), incarnation=Incarnation(f"{index:08x}"), role=Role.NODE, seq=1, url="", **fields
    )


@pytest.fixture(autouse=True)
def _no_real_transport(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asyncio.Transport, "abort", lambda self: None)


async def test_an_answer_counts_by_its_time_and_none_as_a_failure() -> None:
    bench = Bench(2)
    bench.down.add("n1")
    await bench.round()
    assert bench.node(0).response.seen_s == pytest.approx(0.05)
    assert bench.node(1).response.seen_s == FAILED_S
    assert bench.stats.probes == {"answered": 1, "failed": 1}


async def test_who_was_measured_of_late_is_left_alone() -> None:
    bench = Bench(2)
    bench.node(0).response.observe(0.3, bench.now - INTERVAL_S / 2)
    await bench.round()
    assert bench.asked == ["n1"]
    bench.now += 2 * INTERVAL_S
    await bench.round()
    assert sorted(bench.asked[1:]) == ["n0", "n1"]


async def test_nodes_that_take_nobody_are_not_asked() -> None:
    bench = Bench(2)
    bench.view.reported(report(0, state=NodeState.DRAINING), bench.now)
    await bench.round()
    assert bench.asked == ["n1"]


async def test_few_are_asked_at_one_time() -> None:
    bench = Bench(3 * PROBES_MAX)
    bench.gate.clear()
    asking = asyncio.create_task(bench.round())
    async with asyncio.timeout(30):
        while bench.under_way < PROBES_MAX:
            await asyncio.sleep(0)
        bench.gate.set()
        await asking
    assert len(bench.asked) == 3 * PROBES_MAX
    assert bench.most_under_way == PROBES_MAX


@pytest.mark.parametrize(("policy", "asked"), [(POLICY, ["n0"]), ("two-choices", [])])
async def test_only_the_policy_that_wants_to_know_makes_it_ask(policy: str, asked: list[str]) -> None:
    bench = Bench(1, policy)
    running = asyncio.create_task(bench.probes.run())
    for _ in range(20):
        await asyncio.sleep(0)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert bench.asked == asked
