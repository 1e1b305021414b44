"""Shares of a gateway in backends: the places that it reports for clients that it told to come back."""

import random

import pytest

from ringway.engine.memory.engine import MemoryHub
from ringway.gateway.backends.held_backend import HoldingParts, HoldingSettings
from ringway.gateway.backends.holding import COUNTED_S, Holding
from ringway.gateway.cluster.directory import Directory
from ringway.protocol.backend import Backend
from ringway.protocol.expected import ExpectedClient
from ringway.protocol.report import Report
from ringway.sources.sink import Offer
from ringway.types import Incarnation, Issuer, NodeName, Role
from support.held_backends import Unchecked

GATEWAY = NodeName("g")
DONOR, TARGET = NodeName("a"), NodeName("d")


class NoRelays:
    """A gateway without relays."""

    def relays_at(self, incarnation):
        return []

    def requests_at(self, incarnation):
        return 0

    def sessions_at(self, incarnation):
        return 0

    def cut_requests_at(self, incarnation):
        pass

    def count_at(self, incarnation):
        return 0, 0


class Rig:
    """A gateway that holds two backends, in fake time."""

    def __init__(self) -> None:
        self.now = 0.0
        self.told: list[str] = []  # promises of others of which it has told that its report shows the client
        directory = self.directory = Directory(Issuer("0badcafe"))
        parts = HoldingParts(
            GATEWAY, Issuer("0badcafe"), NoRelays(), HoldingSettings(60, 10, False), MemoryHub().open().bus,
            directory.feed, b"", lambda: self.now, random.Random(1),
        )  # fmt: skip
        self.holding = Holding(parts, directory.held, directory.groups, Unchecked(directory), self.told.extend)
        directory.listen(self.holding.on_event)
        backends = [
            Backend(name=name, url=f"ws://127.0.0.1:{9000 + port}") for port, name in enumerate((DONOR, TARGET))
        ]
        self.holding.book.update("test", {backend.name: Offer(backend) for backend in backends})
        directory.feed.add_report(
            Report(
                name=GATEWAY, incarnation=Incarnation("0badcafe"), role=Role.GATEWAY, seq=1, url="http://g",
                backends=self.holding.claims(), held=self.holding.shares(),
            )
        )  # fmt: skip

    def places(self) -> int:
        self.holding.tick()
        return self.holding.shares()[DONOR].reserved.get(TARGET, 0)


@pytest.fixture
async def rig():
    made = Rig()
    yield made
    await made.holding.stop()


def client(number: int, gateway: NodeName = GATEWAY) -> ExpectedClient:
    return ExpectedClient(id=str(number), mark="m", gateway=gateway, donor=DONOR, target=TARGET, ttl_s=40.0)


async def test_the_place_of_a_client_that_has_come_is_reported_until_any_gateway_has_reported_the_client(rig):
    donor = rig.directory.groups.nodes[DONOR]
    rig.holding.on_sent(donor, TARGET, 40.0)
    rig.holding.on_sent(donor, TARGET, 40.0)
    assert rig.places() == 2
    rig.holding.on_promise_over(client(1))
    rig.now += COUNTED_S - 0.1
    assert rig.places() == 2, "a leader must see the place or the client, or it sends another client"
    rig.now += 0.2
    assert rig.places() == 1


async def test_the_place_of_a_client_that_came_here_ends_with_the_report_that_shows_the_client(rig):
    nodes = rig.directory.groups.nodes
    rig.holding.on_sent(nodes[DONOR], TARGET, 40.0)
    rig.holding.on_promise_over(client(1))
    rig.now += 5.0
    assert rig.places() == 1, "a busy server has not opened its WebSocket yet"
    rig.holding.on_arrival(nodes[TARGET], held=False, promised=client(1))
    assert rig.places() == 0
    rig.now += 2 * COUNTED_S
    rig.holding.on_sent(nodes[DONOR], TARGET, 40.0)
    assert rig.places() == 1, "a place is released once"


async def test_the_place_of_a_client_that_came_elsewhere_ends_when_a_report_shows_it_there(rig):
    donor = rig.directory.groups.nodes[DONOR]
    rig.holding.on_sent(donor, TARGET, 40.0)
    rig.holding.on_promise_over(client(1))
    assert rig.places() == 1
    rig.holding.on_shown(["1"])
    assert rig.places() == 0


async def test_another_gateway_is_told_of_its_client_when_a_report_shows_the_client(rig):
    target, elsewhere = rig.directory.groups.nodes[TARGET], client(1, NodeName("other"))
    rig.holding.on_arrival(target, held=False, promised=elsewhere)
    rig.holding.tick()
    assert rig.told == [], "no report shows it"
    rig.holding.shares()
    rig.holding.tick()
    assert rig.told == ["1"]
    rig.holding.shares()
    rig.holding.tick()
    assert rig.told == ["1"]
