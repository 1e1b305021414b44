"""Gateway that knows many nodes, for the discovery benchmark: a process of its own on one core.

    discovery_gateway.py PORT NODES POLICY

The nodes are on a memory engine, and report each second as real nodes do; the gateway issues and signs tickets.
"""

import asyncio
import random
import sys
import time

import uvloop

from ringway.core.group import Groups
from ringway.core.report_reader import ReportReader
from ringway.core.report_writer import ReportWriter
from ringway.core.steering import Steering
from ringway.engine.memory.engine import MemoryHub
from ringway.gateway.cluster.directory import Directory
from ringway.gateway.cluster.reporter import GatewayReporter
from ringway.gateway.config.gateway import GatewayConfig
from ringway.gateway.server import Gateway
from ringway.protocol.keyring import Keyring, Purpose
from ringway.protocol.report import Report
from ringway.protocol.seal import Sealer, Unsealer
from ringway.protocol.ticket import TicketSigner
from ringway.types import Incarnation, Issuer, NodeName, Role

KEYRING = Keyring(b"bench")


def writer_of(member: Report) -> ReportWriter:
    """Return the writer of the reports of `member`."""
    return ReportWriter(
        member.name, Sealer(KEYRING, Purpose.REPORT, member.incarnation, time.time), random.Random(member.name)
    )


async def report(hub: MemoryHub, count: int, gateway: Issuer, directory: Directory) -> None:
    """Report for all nodes, each second; every ticket that was issued counts as redeemed."""
    registry, writers = hub.open().registry, {}
    placed: dict[NodeName, int] = {}
    for seq in range(1, 1_000_000):
        for index in range(count):
            name = NodeName(f"node-{index:02}")
            placed[name] = placed.get(name, 0) + directory.groups.held().get(name, 0)
            said = Report(
                name=name,
                incarnation=Incarnation(f"{index + 1:08x}"),
                role=Role.NODE,
                seq=seq,
                url=f"ws://10.0.0.{index + 1}:9101/connection/websocket",
                connections=1000 + index,
                accept_per_s=20_000.0,  # slots and window are calculated, and no client waits
                taken={gateway: placed[name]},
            )
            writer = writers.setdefault(name, writer_of(said))
            await registry.announce(Role.NODE, name, writer.write(said, time.monotonic()))
        await asyncio.sleep(1)


async def main(port: int, count: int, policy: str) -> None:
    hub = MemoryHub()
    issuer = Issuer("0badcafe")
    rng = random.Random(1)
    groups = Groups(issuer, lambda name: Steering(policy, b"bench"))
    directory = Directory(issuer, ReportReader(Unsealer(KEYRING, Purpose.REPORT)), groups=groups)
    gateway = Gateway(
        GatewayConfig(port=port, address_asks_per_s=0.0, address_share=1.0, knock=False),
        directory,
        TicketSigner(KEYRING),
        rng,
    )
    await gateway.start()
    me = Report(name=NodeName("gw"), incarnation=Incarnation(issuer), role=Role.GATEWAY, seq=0, url="http://gw")
    await GatewayReporter(directory, hub.open(), me, writer_of(me), rng).start()
    await report(hub, count, issuer, directory)


if __name__ == "__main__":
    _, port, nodes, chosen = sys.argv
    uvloop.run(main(int(port), int(nodes), chosen))
