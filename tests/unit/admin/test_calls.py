"""Calls of commands through the admin port: what is passed on, what is refused, and how silence is told."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from ringway.admin.api import Admin, Health, build_api
from ringway.admin.calls import OperatorWays
from ringway.admin.member import describe
from ringway.admin.metric import Metrics
from ringway.api.application import ApiApp
from ringway.engine.memory.engine import MemoryEngine, MemoryHub
from ringway.protocol.control import GATEWAYS, GetDirective
from ringway.protocol.order import BALANCER, MoveOrder, Rebalance, SetState, node_address
from ringway.protocol.owners import OwnersRequest
from ringway.protocol.report import Report
from ringway.types import Incarnation, NodeName, Role
from unit.api.ask import ask

NODE = Report(name=NodeName("a"), incarnation=Incarnation("00000001"), role=Role.NODE, seq=7, url="ws://a")


class Rig:
    """An admin port over a hub; `add` puts a member there that echoes."""

    def __init__(self) -> None:
        self._hub = MemoryHub()
        self.engines: list[MemoryEngine] = [self._hub.open()]
        ways = OperatorWays(self.engines[0].bus, lambda: [NODE])
        self.app: ApiApp = build_api(Admin(_health, lambda: describe([]), Metrics([]), ways=ways), "0")

    async def add(self, address: str, answer: bytes = b'{"an":"answer"}') -> None:
        async def handle(raw: bytes) -> bytes:
            return answer

        self.engines.append(self._hub.open())
        await self.engines[-1].bus.serve(address, handle)

    async def call(self, address: str, request: object, **more: Any) -> tuple[int, Any]:
        body = {"address": address, "request": msgspec.to_builtins(request), "timeout_s": 0.2, **more}
        return await ask(self.app, "POST", "/v1/calls", body)


def _health() -> Health:
    return Health(name="x", role="gateway", version="0", engine="none", ready=True)


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    rig = Rig()
    yield rig
    for engine in rig.engines:
        await engine.close()


async def test_reports_are_told_as_they_were_heard(rig):
    status, [said] = await ask(rig.app, "GET", "/v1/reports")
    assert (status, said["name"], said["seq"]) == (200, "a", 7)


async def test_the_leader_is_asked_and_its_answer_comes_back(rig):
    await rig.add(BALANCER)
    assert await rig.call(BALANCER, Rebalance(dry_run=True)) == (200, {"answers": [{"an": "answer"}]})


async def test_answers_of_all_members_at_an_address_are_gathered(rig):
    await rig.add(GATEWAYS, b"1")
    await rig.add(GATEWAYS, b"2")
    status, said = await rig.call(GATEWAYS, GetDirective(), expected=2)
    assert (status, sorted(said["answers"])) == (200, [1, 2])


async def test_an_address_that_nobody_serves_is_a_gateway_timeout(rig):
    status, said = await rig.call(node_address(NodeName("b")), SetState(draining=True))
    assert status == 504
    assert "node.b" in said["detail"]


@pytest.mark.parametrize(
    ("address", "request_"),
    [
        (BALANCER, OwnersRequest(version="1", have="")),
        (node_address(NodeName("a")), MoveOrder(fence=9, target=NodeName("b"), count=1, within_s=1.0)),
        ("held.gateway-1.a", MoveOrder(fence=9, target=NodeName("b"), count=1, within_s=1.0)),
        ("expected", SetState(draining=True)),
        (BALANCER, SetState(draining=True)),
        (GATEWAYS, Rebalance()),
    ],
    ids=["owners", "an order", "an order to a gateway", "another address", "a node's", "the leader's"],
)
async def test_what_no_operator_asks_for_is_refused(rig, address, request_):
    await rig.add(address)
    status, said = await rig.call(address, request_)
    assert status == 400
    assert address in said["detail"]


@pytest.mark.parametrize("timeout_s", [0, -1, 31])
async def test_a_time_for_answers_has_bounds(rig, timeout_s):
    assert (await rig.call(BALANCER, Rebalance(), timeout_s=timeout_s))[0] == 400
