"""Servers that register under one name at several gateways: one has the name, the others are refused, nothing flaps."""

from collections.abc import Mapping
from itertools import groupby
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ringway.core.held_nodes import HeldNodes
from ringway.core.registration import RefusalKind, RegistrationRefused
from ringway.core.rival import Rivals
from ringway.gateway.backends.book import BackendBook
from ringway.protocol.registration import Renewal
from ringway.protocol.report import Report
from ringway.sources.registration.config import RegistrationConfig
from ringway.sources.registration.source import RegistrationSource
from ringway.types import Incarnation, NodeName, Role

A = NodeName("a")
GATEWAYS = [NodeName(f"g{number}") for number in (1, 2, 3)]


class Gateway:
    """The registrations of one gateway, what it hears of others, and who had the name in its view, in that order."""

    def __init__(self, name: NodeName, world: "World") -> None:
        self.name = name
        self.held = HeldNodes()
        self.book = BackendBook(
            lambda name, draining, within_s: None, lambda name: False, lambda: world.now, lambda: world.now
        )
        self.source = RegistrationSource(
            RegistrationConfig(), self.book, clock=lambda: world.now,
            rivals=Rivals(self.book.claim, lambda found: self.held.claims_of_others(found, name)),
        )  # fmt: skip
        self.holders: list[str] = []

    def report(self) -> Report:
        return Report(
            name=self.name, incarnation=Incarnation(f"0000000{self.name[-1]}"), role=Role.GATEWAY, seq=1, url="http://g",
            backends=self.book.claims(),
        )  # fmt: skip

    def hear(self, report: Report) -> None:
        self.held.read_changes(self.held.on_report(report))
        backend = self.held.backend(A)
        self.holders.append(f"{backend.url} {backend.life}" if backend is not None else "")


class Server:
    """A server with its sidecar: it registers, renews, and registers again when its lease is not known."""

    def __init__(self, gateway: Gateway, fields: Mapping[str, Any]) -> None:
        self.gateway = gateway
        self.fields = fields
        self.refused: RegistrationRefused | None = None

    def ask(self) -> None:
        try:
            try:
                self.gateway.source.renew(A, Renewal(incarnation=self.fields["incarnation"]))
            except RegistrationRefused:
                self.gateway.source.register(A, self.fields)
            self.refused = None
        except RegistrationRefused as refused:
            self.refused = refused


class World:
    """Three gateways with a server each; the servers differ in their URLs, or are lives of one."""

    def __init__(self, urls: tuple[str, str, str]) -> None:
        self.now = 1000.0
        self.gateways = [Gateway(name, self) for name in GATEWAYS]
        self.servers = [
            Server(gateway, {"url": url, "incarnation": gateway.name, "ttl_s": 10.0})
            for gateway, url in zip(self.gateways, urls, strict=True)
        ]

    def tell(self, of: int) -> None:
        report = self.gateways[of].report()
        for gateway in self.gateways:
            gateway.hear(report)

    def round(self) -> None:
        """Let each server ask, and each gateway report, once."""
        for number, server in enumerate(self.servers):
            self.now += 0.01
            server.ask()
            self.gateways[number].source.tick()
            self.tell(number)


STEPS = st.lists(
    st.tuples(st.sampled_from(["ask", "tell", "tick"]), st.integers(0, 2), st.sampled_from([0.0, 0.1])), max_size=30
)
URLS = st.sampled_from([("ws://h:1", "ws://h:2", "ws://h:3"), ("ws://h:1",) * 3, ("ws://h:1", "ws://h:1", "ws://h:2")])


@given(STEPS, URLS)
def test_one_of_several_holders_wins_and_no_name_goes_back(steps, urls) -> None:
    world = World(urls)
    for step, number, later_s in steps:
        world.now += later_s
        match step:
            case "ask":
                world.servers[number].ask()
            case "tell":
                world.tell(number)
            case "tick":
                world.gateways[number].source.tick()
    for _ in range(4):
        world.round()
    winners = [server for server in world.servers if server.refused is None]
    assert len(winners) == 1
    for server in world.servers:
        if server is not winners[0]:
            assert server.refused is not None
            assert server.refused.kind is RefusalKind.HELD
            assert winners[0].fields["url"] in str(server.refused)
    for gateway in world.gateways:
        assert gateway.holders[-1] == f"{winners[0].fields['url']} {winners[0].fields['incarnation']}"
        had = [holder for holder, _ in groupby(gateway.holders) if holder]
        assert len(had) == len(set(had)), "the name came back to one that had lost it"


def test_a_late_second_holder_is_refused_and_the_first_is_not_disturbed() -> None:
    world = World(("ws://h:1", "ws://h:2", "ws://h:3"))
    world.servers[0].ask()
    world.tell(0)
    for _ in range(3):
        world.round()
    assert [server.refused is None for server in world.servers] == [True, False, False]
    assert set(world.gateways[2].holders) == {"ws://h:1 g1"}
    assert "which registered at g1; a name belongs to one server of the cluster" in str(world.servers[1].refused)
    world.gateways[0].source.remove(A, "g1", gone=False)  # its clients are led away, and its name is free
    world.tell(0)
    world.servers[1].ask()
    assert world.servers[1].refused is None


def test_a_server_that_restarts_at_another_gateway_has_its_name_at_once() -> None:
    world = World(("ws://h:1", "ws://h:1", "ws://h:2"))
    world.servers[0].ask()
    world.tell(0)
    world.now += 1.0
    world.servers[1].ask()
    assert world.servers[1].refused is None
    world.tell(1)
    world.gateways[0].source.tick()
    world.servers[0].ask()
    assert "has replaced the incarnation 'g1'" in str(world.servers[0].refused)


def test_a_server_whose_gateway_does_not_answer_goes_on_at_another() -> None:
    world = World(("ws://h:1", "ws://h:2", "ws://h:3"))
    server = world.servers[0]
    server.ask()
    world.tell(0)
    server.gateway = world.gateways[1]
    server.ask()
    world.tell(1)
    world.gateways[0].source.tick()
    assert server.refused is None
    assert world.gateways[0].source.find(A).backend.life == "g1"
