"""Real nodes and a real gateway in this process, over the memory engine, whose clients are moved at will."""

import random

from integration.moves.cluster import until
from ringway.core.group import Groups
from ringway.core.steering import Steering
from ringway.engine.memory.engine import MemoryEngine, MemoryHub
from ringway.gateway.cluster.directory import Directory
from ringway.gateway.cluster.reporter import GatewayReporter
from ringway.gateway.config.gateway import GatewayConfig
from ringway.gateway.server import Gateway
from ringway.node.config.node import NodeConfig
from ringway.node.server import ChannelNode
from ringway.protocol.keyring import Keyring
from ringway.protocol.report import Report
from ringway.protocol.ticket import TicketSigner
from ringway.types import Incarnation, Issuer, NodeName, Role
from support.members import report_reader, report_writer

SECRET = b"of this test"


class RealCluster:
    """`async with RealCluster("n1", "n2", pages=directory) as cluster`."""

    def __init__(self, *names: str, pages: str = "") -> None:
        self.hub = MemoryHub()
        self.engine: MemoryEngine = self.hub.open()
        issuer = Issuer("ffffffff")
        groups = Groups(issuer, lambda name: Steering("least-connected", SECRET))
        self.directory = Directory(issuer, report_reader(Keyring(SECRET)), groups=groups)
        config = GatewayConfig(port=0, linger_s=0.5, pages=pages)
        self.gateway = Gateway(config, self.directory, TicketSigner(Keyring(SECRET)), random.Random(1))
        settings = NodeConfig(insecure=True, move_cool_down_s=0.0, commands_per_s=100_000, commands_burst=100_000)
        self.nodes = {
            name: ChannelNode(
                settings,
                NodeName(name),
                Incarnation(f"{number:08x}"),
                self.hub.open(),
                Keyring(SECRET),
                ring_secret=SECRET,
            )
            for number, name in enumerate(names, 1)
        }

    async def __aenter__(self) -> "RealCluster":
        await self.gateway.start()
        url = f"http://127.0.0.1:{self.gateway.port}"
        me = Report(name=NodeName("g1"), incarnation=Incarnation("ffffffff"), role=Role.GATEWAY, seq=0, url=url)
        self.reporter = GatewayReporter(
            self.directory, self.engine, me, report_writer(Keyring(SECRET), me.name, me.incarnation), random.Random(2)
        )
        await self.reporter.start()
        for node in self.nodes.values():
            await node.start()
        await until(lambda: len(self.directory.groups.eligible) == len(self.nodes), "the nodes at the gateway")
        for node in self.nodes.values():
            await until(lambda node=node: node.feed.live, "the gateway at the nodes")
        return self

    async def __aexit__(self, *_: object) -> None:
        for node in self.nodes.values():
            await node.stop()
        await self.gateway.stop()
        await self.reporter.stop()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.gateway.port}"

    async def move_all(self) -> None:
        """Move whoever is connected to the next node, however lately it came; return when all are served there."""
        names = list(self.nodes)
        donor = next(node for node in self.nodes.values() if node.connections)
        target = self.nodes[names[(names.index(donor.name) + 1) % len(names)]]
        connections = [connection for connection in donor.clients.registry if connection.may_leave]
        expected = target.stats.resumed + len(connections)
        for connection in connections:
            await donor.clients.donors.send_off(connection, NodeName(target.name))
        await until(lambda: target.stats.resumed == expected, "the moves")
