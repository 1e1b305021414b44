"""A cluster of gateways that hold backends, without relays; all hear each report at once."""

import random

from ringway.core.report_reader import MemberLeaves
from ringway.engine.memory.engine import MemoryHub
from ringway.gateway.backends.held_backend import HoldingParts, HoldingSettings
from ringway.gateway.backends.holding import Holding
from ringway.gateway.cluster.directory import Directory
from ringway.protocol.backend import Backend
from ringway.protocol.report import Report
from ringway.sources.sink import Offer
from ringway.types import Incarnation, Issuer, NodeName, NodeState, Role
from support.held_backends import Unchecked
from unit.member.fake_holder import FakeConnection

A, B = NodeName("a"), NodeName("b")


def backend(name: NodeName = A, port: int = 1, **facts) -> Backend:
    return Backend(name=name, url=f"ws://127.0.0.1:{port}", **facts)


def offers(*backends: Backend, **facts) -> dict[NodeName, Offer]:
    return {each.name: Offer(each, **facts) for each in backends}


class FakeRelays:
    """Connections by the incarnation of their backend (`held_backend.RelayMoves`)."""

    def __init__(self) -> None:
        self.at: dict[Incarnation, list[FakeConnection]] = {}
        self.closed: list[FakeConnection] = []

    def open(self, backend: Backend, count: int) -> None:
        self.at.setdefault(backend.incarnation, []).extend(FakeConnection() for _ in range(count))

    def relays_at(self, incarnation: Incarnation) -> list[FakeConnection]:
        return self.at.get(incarnation, [])

    def requests_at(self, incarnation):
        return 0

    def sessions_at(self, incarnation):
        return 0

    def cut_requests_at(self, incarnation):
        pass

    def count_at(self, incarnation: Incarnation) -> tuple[int, int]:
        here = self.relays_at(incarnation)
        return len(here), sum(each.sent_to is not None for each in here)

    def why_not(self, donor: NodeName, target: NodeName) -> str:
        return ""

    async def send_off(self, relay: FakeConnection, target: NodeName) -> None:
        relay.sent_to = target

    def close_drained(self, relay: FakeConnection) -> None:
        self.closed.append(relay)


class FakeGateway:
    """One gateway of `cluster`, whose backends are up as soon as they are checked."""

    def __init__(self, cluster: "Cluster", number: int) -> None:
        self.name = NodeName(f"gateway-{number}")
        self.incarnation = Incarnation(f"{number:08x}")
        self.directory = Directory(Issuer(self.incarnation), clock=lambda: cluster.now)
        self.directory.groups.knocks = True
        self.relays = FakeRelays()
        self.engine = cluster.hub.open()
        parts = HoldingParts(
            self.name, Issuer(self.incarnation), self.relays, HoldingSettings(0.0, 0.0, oldest_first=True),
            self.engine.bus, self.directory.feed, b"", lambda: cluster.now, random.Random(number),
        )  # fmt: skip
        self.holding = Holding(parts, self.directory.held, self.directory.groups, Unchecked(self.directory))
        self.directory.listen(self.holding.on_event)
        self._seq = 0

    def report(self) -> Report:
        self._seq += 1
        return Report(
            name=self.name, incarnation=self.incarnation, role=Role.GATEWAY, seq=self._seq, url="http://g",
            backends=self.holding.claims(), held=self.holding.shares(),
        )  # fmt: skip

    def state(self, name: NodeName = A) -> NodeState:
        return self.directory.groups.nodes[name].state

    @property
    def eligible(self) -> list[NodeName]:
        return [node.name for node in self.directory.groups.eligible]


class Cluster:
    """Gateways on one bus. `now` is the time of all."""

    def __init__(self, gateways: int = 1) -> None:
        self.now = 100.0
        self.hub = MemoryHub()
        self.gateways = [FakeGateway(self, number) for number in range(1, gateways + 1)]

    def add_gateway(self) -> FakeGateway:
        self.gateways.append(FakeGateway(self, len(self.gateways) + 1))
        return self.gateways[-1]

    def report(self, *gateways: FakeGateway) -> None:
        """Let `gateways`, or all, report once; everybody hears it."""
        for gateway in gateways or self.gateways:
            report = gateway.report()
            for hearer in self.gateways:
                hearer.directory.feed.add_report(report)

    def lose(self, gateway: FakeGateway) -> None:
        """Let all others hear that `gateway` leaves."""
        self.gateways.remove(gateway)
        for hearer in self.gateways:
            hearer.directory.feed.remove_member(MemberLeaves(gateway.name, gateway.incarnation))

    async def stop(self) -> None:
        for gateway in self.gateways:
            await gateway.holding.stop()
            await gateway.engine.close()
