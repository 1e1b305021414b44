"""Nodes for the control benchmark, many in one process: `control_members.py ENGINE_URL SECRET`.

Each of them reports through the engine as a node does: the same fields, the same writer and seal, introductions on
request, a beat a second. It answers knocks, and consents to orders, and holds no connection. Prints a line when
it is ready, then obeys JSON lines on standard input, and answers each with a line:

    {"do": "join", "first": 0, "count": 1000, "within_s": 2}  nodes of these numbers begin to report
    {"do": "leave", "first": 0, "count": 1}                   they report that they leave
    {"do": "move", "donors": 100}                             donors move connections to all other nodes; 0: stop
    {"do": "count"}                                           the numbers of sent reports and answered knocks

While they move, each donor sends `MOVED_PER_S` connections a second to `TARGETS_PER_S` of the other nodes, different
nodes each second: it holds places there, and a second later the target has used them. Every target has redeemed tickets
of each donor before.
"""

import asyncio
import heapq
import json
import random
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import msgspec
import uvloop

from ringway.app.engine import EngineConfig, open_engine
from ringway.core.membership import MembershipEvent
from ringway.core.report_reader import ReportReader
from ringway.core.report_writer import ReportWriter
from ringway.core.reporting import EARLY_S, REPORT_S, next_pause_s
from ringway.member.feed import Feed
from ringway.member.sealed_engine import SealedEngine
from ringway.ports import Engine
from ringway.protocol.keyring import Keyring, Purpose
from ringway.protocol.knock import KNOCK, KnockProver, knock_response
from ringway.protocol.order import NodeConsent, encode, node_address
from ringway.protocol.report import Report
from ringway.protocol.seal import Sealer, Unsealer
from ringway.protocol.upgrade import Upgrade, value_of
from ringway.types import Incarnation, Issuer, NodeName, Role
from ringway.version import VERSION

CONNECTIONS = 20_000
MOVED_PER_S = 90
TARGETS_PER_S = 9
RESOURCES = ("cpu", "memory", "files", "loop_lag", "egress")


class FakeNode:
    """A node that only reports."""

    def __init__(self, number: int, url: str, keyring: Keyring, rng: random.Random) -> None:
        self.name = NodeName(f"fake-{number}")
        self.incarnation = Incarnation(f"{rng.getrandbits(32):08x}")
        self.writer = ReportWriter(self.name, Sealer(keyring, Purpose.REPORT, self.incarnation, time.time), rng)
        self.reported_at = 0.0
        self.due_at = 0.0
        self._rng = rng
        self._report = Report(
            name=self.name, incarnation=self.incarnation, role=Role.NODE, seq=0, version=VERSION,
            url=f"{url}/{self.name}/connection/websocket", public_url=f"wss://{self.name}.example/connection/websocket",
            admin_url=f"http://10.0.0.1:{9000 + number}", connections=CONNECTIONS, connections_max=100_000,
            accepted=CONNECTIONS, accept_per_s=440.0, memory_bytes=200 << 20,
            utilisation=dict.fromkeys(RESOURCES, 0.2),
        )  # fmt: skip

    def change(self, **fields: Any) -> None:
        """Report these values from now on."""
        self._report = msgspec.structs.replace(self._report, **fields)

    def report(self, now: float) -> bytes:
        """Return the next message; counters have grown, and measures are a bit different."""
        last, rng = self._report, self._rng
        arrived = rng.randrange(20)
        self.change(
            connections=max(0, last.connections + arrived - 10),
            accepted=last.accepted + arrived,
            publications=last.publications + rng.randrange(2000),
            deliveries=last.deliveries + rng.randrange(50_000),
            utilisation={name: round(rng.uniform(0.15, 0.25), 4) for name in RESOURCES},
            cpu=round(rng.uniform(0.15, 0.25), 4),
            loop_lag_s=rng.uniform(0, 0.002),
            handshake_p99_s=rng.uniform(0, 0.01),
            memory_bytes=(200 << 20) + rng.randrange(1 << 20),
        )
        self.reported_at = now
        return self.writer.write(self._report, now)

    def count_keys(self, version: str) -> None:
        """Report that no client's key belongs to a different node by the owners of `version`."""
        self.change(counted=version)

    def take(self, issuer: Issuer, count: int) -> None:
        """Count clients that came with tickets of `issuer`."""
        taken = self._report.taken
        self.change(taken={**taken, issuer: taken.get(issuer, 0) + count}, connections=self._report.connections + count)

    def give(self, targets: list["FakeNode"]) -> None:
        """Send clients to `targets`; the clients of the previous second have arrived."""
        issuer, moved = Issuer(self.incarnation), dict(self._report.moved)
        share = MOVED_PER_S // TARGETS_PER_S
        for target in targets:
            target.take(issuer, share)
            moved[target.name] = moved.get(target.name, 0) + share
        left = max(0, self._report.connections - MOVED_PER_S)
        self.change(reserved={target.name: share for target in targets}, moved=moved, connections=left)

    def rest(self) -> None:
        """Stop moving clients."""
        self.change(reserved={}, moved={}, taken={})


class FakeNodes:
    """The nodes of this process, by their names."""

    def __init__(self, engine: Engine, keyring: Keyring, rng: random.Random) -> None:
        self.url = ""
        """The address at which they answer knocks."""
        self._engine = engine
        self._keyring = keyring
        self._prover = KnockProver(keyring)
        self._rng = rng
        self._nodes: dict[NodeName, FakeNode] = {}
        self._due: list[tuple[float, int, FakeNode]] = []
        self._newest = 0
        self._moving: asyncio.Task[None] | None = None
        self._reports = self._knocks = 0

    async def obey(self, request: dict[str, Any]) -> dict[str, Any]:
        """Carry out one request."""
        match request:
            case {"do": "join", "first": first, "count": count, "within_s": within_s}:
                await self._join([self._make(number) for number in range(first, first + count)], within_s)
            case {"do": "leave", "first": first, "count": count}:
                for number in range(first, first + count):
                    node = self._nodes.pop(NodeName(f"fake-{number}"))
                    await self._engine.registry.withdraw(Role.NODE, node.name, node.writer.write_leave())
            case {"do": "move", "donors": donors}:
                self._move(donors)
        return {"reports": self._reports, "knocks": self._knocks}

    def _make(self, number: int) -> FakeNode:
        return FakeNode(number, self.url, self._keyring, self._rng)

    async def _join(self, nodes: list[FakeNode], within_s: float) -> None:
        await asyncio.gather(*(self._engine.bus.serve(node_address(node.name), _consent) for node in nodes))
        now = time.monotonic()
        for node in nodes:
            self._nodes[node.name] = node
            self._schedule(node, now + self._rng.uniform(0, within_s))

    def _schedule(self, node: FakeNode, at: float) -> None:
        node.due_at = at
        self._newest += 1
        heapq.heappush(self._due, (at, self._newest, node))

    def on_asked(self, name: NodeName) -> None:
        """Introduce the requested node, or all nodes, as soon as each may report again."""
        now = time.monotonic()
        for node in [self._nodes[name]] if name in self._nodes else self._nodes.values() if not name else ():
            node.writer.on_asked(now)
            self._schedule(node, max(now, node.reported_at + EARLY_S))

    def on_event(self, event: MembershipEvent) -> None:
        """Count keys by the owners of a leader's report. A listener of a feed."""
        version = event.report.owners
        if version:
            for node in self._nodes.values():
                node.count_keys(version)

    async def report(self) -> None:
        """Send the report of each node when it is due, for ever."""
        while True:
            now = time.monotonic()
            while self._due and self._due[0][0] <= now:
                at, _, node = heapq.heappop(self._due)
                if node.due_at == at and self._nodes.get(node.name) is node:
                    await self._engine.registry.announce(Role.NODE, node.name, node.report(now))
                    self._reports += 1
                    self._schedule(node, now + next_pause_s(REPORT_S, self._rng))
            await asyncio.sleep(0.001)

    def _move(self, donors: int) -> None:
        if self._moving is not None:
            self._moving.cancel()
            self._moving = None
        nodes = list(self._nodes.values())
        for node in nodes:
            node.rest()
        if donors:
            for donor in nodes[:donors]:
                for target in nodes[donors:]:
                    target.take(Issuer(donor.incarnation), 0)
            self._moving = asyncio.create_task(_move_each_second(nodes[:donors], nodes[donors:]))

    async def on_knock(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer a knock as the node that the path names."""
        with suppress(OSError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            pairs = [line.partition(":") for line in head[1:] if line]
            headers = [(name.lower(), value.strip()) for name, _, value in pairs]
            node = self._nodes.get(NodeName(head[0].split("/")[1]))
            knock = self._prover.believe(value_of(headers, KNOCK) or "")
            if node is not None and knock is not None:
                upgrade = Upgrade(value_of(headers, "sec-websocket-key") or "", (), ())
                self._knocks += 1
                writer.write(knock_response(upgrade, self._prover.answer(knock, node.name, node.incarnation)))
                await reader.read(64)
        writer.close()


async def _consent(request: bytes) -> bytes:
    return encode(NodeConsent())


async def _move_each_second(donors: list[FakeNode], targets: list[FakeNode]) -> None:
    turns = [_round(targets, number * 7) for number in range(len(donors))]
    while True:
        began = time.monotonic()
        for donor, turn in zip(donors, turns, strict=True):
            donor.give([next(turn) for _ in range(min(TARGETS_PER_S, len(targets)))])
        await asyncio.sleep(max(0.0, 1.0 - (time.monotonic() - began)))


def _round(targets: list[FakeNode], first: int) -> Iterator[FakeNode]:
    while True:
        yield targets[first % len(targets)]
        first += 1


async def serve(url: str, secret: str) -> None:
    """Run the nodes until standard input ends."""
    keyring = Keyring(secret.encode())
    async with open_engine(EngineConfig(url=url, secret=secret), "fakes") as opened:
        engine = SealedEngine(opened, keyring, Incarnation("fa4e0000"))
        nodes = FakeNodes(engine, keyring, random.Random(1))
        server = await asyncio.start_server(nodes.on_knock, "127.0.0.1", 0, backlog=1024)
        nodes.url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        await engine.registry.answer(Role.NODE, nodes.on_asked)
        feed = Feed(ReportReader(Unsealer(keyring, Purpose.REPORT)), listeners=[nodes.on_event])
        await feed.follow(engine.registry, (Role.GATEWAY,))
        reporting = asyncio.create_task(nodes.report())
        print("ready", flush=True)
        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        while line := await reader.readline():
            print(json.dumps(await nodes.obey(json.loads(line))), flush=True)
        reporting.cancel()


if __name__ == "__main__":
    uvloop.run(serve(sys.argv[1], sys.argv[2]))
