"""Opening of WebSockets, and the measure of a node's speed from it."""

import asyncio
import random
from types import SimpleNamespace
from typing import Any, cast

import pytest

from ringway.core.group import Groups
from ringway.core.load import NodeLoad
from ringway.core.load.response import FAILED_S, Response
from ringway.errors import UpgradeError
from ringway.gateway.placement.affinity import Affinity
from ringway.gateway.placement.placer import Placer
from ringway.gateway.placement.placers import Placers
from ringway.gateway.placement.routing import Routing
from ringway.gateway.proxy.addresses import NodeAddresses
from ringway.gateway.proxy.opener import Opener, Refusal
from ringway.gateway.proxy.upgrade_request import read_request
from ringway.gateway.proxy.upstream import Answer, Unreachable
from ringway.gateway.stats import GatewayStats
from ringway.protocol.head import RequestHead
from ringway.protocol.keyring import Keyring
from ringway.protocol.report import Report
from ringway.protocol.ticket import TicketSigner
from ringway.protocol.upgrade import Upgrade, accept_for
from ringway.types import Incarnation, Issuer, NodeName, Role

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
GOOD = [("upgrade", "websocket"), ("connection", "upgrade"), ("sec-websocket-accept", accept_for(KEY))]
TOOK_S = 0.25


class Transport(asyncio.Transport):
    aborted = False

    def abort(self) -> None:
        self.aborted = True


class Bench:
    """An opener over one node, which answers with `said`, or raises it, after `TOOK_S`."""

    def __init__(self, said: Answer | BaseException) -> None:
        self.now = 100.0
        self.said = said
        self.opening = 0
        groups = Groups(Issuer("0badcafe"))
        report = Report(
            name=NodeName("n1"), incarnation=Incarnation("00000001"), role=Role.NODE, seq=1, url="", is_backend=True
        )
        groups.reported(report, self.now)
        self.node = groups.nodes[NodeName("n1")]
        signer = TicketSigner(Keyring(b"secret"))
        placers = Placers(
            groups,
            lambda group: Placer(
                group.view, group.steering, signer, GatewayStats(), lambda: self.now, random.Random(1)
            ),
            lambda: self.now,
        )
        self.find_route = Routing((), groups).find_with_keys
        self.opener = Opener(placers, cast(NodeAddresses, self), GatewayStats())

    @property
    def response(self) -> Response:
        return self.node.response

    def address_of(self, node: NodeLoad) -> Any:
        return SimpleNamespace(prefix="")

    async def send_request(self, address: Any, request: bytes) -> Answer:
        self.opening = self.response.opening
        self.now += TOOK_S
        if isinstance(self.said, BaseException):
            raise self.said
        return self.said

    async def open(self) -> None:
        client = Transport({"peername": ("192.0.2.7", 40000)})
        head = RequestHead("GET", "/", "", "1.1", [("host", "x")], True)
        await self.opener.open(read_request(client, head, Upgrade(KEY, (), ()), Affinity(()), self.find_route))


def answer(status: int, headers: list[tuple[str, str]]) -> Answer:
    return Answer(Transport(), status, "1.1", headers)


async def test_the_time_to_a_good_answer_is_measured() -> None:
    bench = Bench(answer(101, GOOD))
    await bench.open()
    assert bench.response.seen_s == pytest.approx(TOOK_S)
    assert (bench.opening, bench.response.opening) == (1, 0)


@pytest.mark.parametrize(
    ("said", "raised"),
    [
        (Unreachable(502, "not there"), Unreachable),
        (answer(503, []), Unreachable),
        (answer(500, []), Unreachable),
        (answer(101, []), UpgradeError),
        (answer(200, []), UpgradeError),
    ],
)
async def test_a_failure_counts_as_slow(said: Answer | BaseException, raised: type[Exception]) -> None:
    bench = Bench(said)
    with pytest.raises(raised):
        await bench.open()
    assert bench.response.seen_s == FAILED_S
    assert (bench.opening, bench.response.opening) == (1, 0)
    assert bench.node.own == 0
    assert isinstance(said, BaseException) or cast(Transport, said.transport).aborted


async def test_a_refusal_says_nothing_of_speed() -> None:
    bench = Bench(answer(403, []))
    with pytest.raises(Refusal):
        await bench.open()
    assert not bench.response.known
    assert bench.response.opening == 0


@pytest.mark.parametrize(("before", "after"), [(None, TOOK_S), (0.1, TOOK_S), (1.0, 1.0)])
async def test_an_answer_that_was_not_awaited_took_at_least_so_long(before: float | None, after: float) -> None:
    bench = Bench(asyncio.CancelledError())
    if before is not None:
        bench.response.observe(before, bench.now)
    with pytest.raises(asyncio.CancelledError):
        await bench.open()
    assert bench.response.seen_s == pytest.approx(after)
    assert bench.response.opening == 0
