"""A gateway with an engine, for tests: members report what the test says, and nodes note each request."""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import blake2b

from gateway_kit import PATIENCE_S, Raw, answer_101, eventually, raw_backend, read_head

from ringway.core.steering import Steering
from ringway.engine.memory.engine import MemoryHub
from ringway.gateway.cluster.directory import Directory
from ringway.gateway.cluster.reporter import GatewayReporter
from ringway.gateway.config.gateway import GatewayConfig
from ringway.gateway.server import Gateway
from ringway.node.config.node import NodeConfig
from ringway.node.server import ChannelNode
from ringway.protocol.order import CountMisplaced, NodeConsent, decode_node_answer, encode, node_address
from ringway.protocol.report import Report, decode_report, encode_report
from ringway.protocol.ticket import TicketSigner
from ringway.types import Incarnation, Issuer, NodeName, NodeState, Role


def report(name: str, url: str, seq: int = 1, **fields: object) -> Report:
    return Report(
        name=NodeName(name),
        incarnation=incarnation_of(name),
        role=Role.NODE,
        seq=seq,
        url=url,
        **fields,  # type: ignore[arg-type]
    )


def incarnation_of(name: str) -> Incarnation:
    """Return the incarnation of the member `name`; it stays the same if the member restarts."""
    return Incarnation(blake2b(name.encode(), digest_size=4).hexdigest())


class Cluster:
    """A gateway over a memory hub, and members that say what the test wants; the secret is the same in all."""

    def __init__(self, policy: str, name: str = "gw", hub: MemoryHub | None = None, **settings: object) -> None:
        self.name = NodeName(name)
        self.hub = hub or MemoryHub()
        self.incarnation = incarnation_of(name)
        self.engine = self.hub.open()
        self.others = self.hub.open()
        self.signer = TicketSigner(b"secret")
        self.directory = Directory(Issuer(self.incarnation))
        config = GatewayConfig(**{"port": 0, "linger_s": 0.5, "allowed_hosts": ("*",), **settings})  # type: ignore[arg-type]
        self.steering = Steering(policy, b"secret")
        self.gateway = Gateway(config, self.directory, self.steering, self.signer, random.Random(5))
        self.leading = False
        self.told: list[Report] = []
        self._dialled: list[Raw] = []
        self._keeping: dict[str, Report] = {}

    async def start(self) -> None:
        await self.others.registry.watch(self._heard)
        await self.gateway.start()
        me = Report(name=self.name, incarnation=self.incarnation, role=Role.GATEWAY, seq=0, url=self.url("/", "http"))
        self._reporter = GatewayReporter(
            self.directory, self.engine, me, random.Random(6), leading=lambda: self.leading
        )
        await self._reporter.start()
        self._keeper = asyncio.create_task(self._keep())

    async def stop(self) -> None:
        self._keeper.cancel()
        await asyncio.gather(self._keeper, return_exceptions=True)
        await self._reporter.stop()
        await self.gateway.stop()
        await self.hang_up()
        await self.engine.close()
        await self.others.close()

    def _heard(self, name: str, raw: bytes | None) -> None:
        if name == self.name and raw is not None:
            self.told.append(decode_report(raw))

    async def _keep(self) -> None:
        """Report for the members that the test has brought in, a few times a second."""
        seq = 1000
        while True:
            seq += 1
            for said in list(self._keeping.values()):
                again = {**{field: getattr(said, field) for field in said.__struct_fields__}, "seq": seq}
                await self.others.registry.announce(said.name, encode_report(Report(**again)))
            await asyncio.sleep(0.2)

    async def join(self, name: str, url: str, **fields: object) -> None:
        self._keeping[name] = report(name, url, **fields)
        await self.others.registry.announce(NodeName(name), encode_report(self._keeping[name]))
        state = fields.get("state", NodeState.ACTIVE)
        await eventually(lambda: name in self.directory.view.nodes and self.directory.view.nodes[name].state is state)

    def fall_silent(self, name: str) -> None:
        del self._keeping[name]

    async def withdraw(self, name: str) -> None:
        del self._keeping[name]
        await self.others.registry.withdraw(NodeName(name))

    def url(self, path: str, scheme: str = "ws") -> str:
        return f"{scheme}://127.0.0.1:{self.gateway.port}{path}"

    def ticket(self, target: str) -> str:
        """A ticket for `target`, as a node issues one for a client that it moves there."""
        nonce = random.randbytes(8)
        return self.signer.issue(NodeName(target), Issuer("00000001"), nonce, time.time())

    async def ask_node(self, name: str, request: CountMisplaced) -> NodeConsent:
        """Return the answer of a channel node to a request of members."""
        raw = await self.others.bus.call(node_address(NodeName(name)), encode(request), timeout_s=PATIENCE_S)
        answer = decode_node_answer(raw)
        assert isinstance(answer, NodeConsent)
        return answer

    async def dial(self, source: str = "127.0.0.1") -> Raw:
        """Open a raw connection from the address `source`, which `stop` closes."""
        raw = Raw(*await asyncio.open_connection("127.0.0.1", self.gateway.port, local_addr=(source, 0)))
        self._dialled.append(raw)
        return raw

    async def hang_up(self) -> None:
        """Close all raw connections that were opened."""
        for raw in self._dialled:
            await raw.close()
        self._dialled.clear()

    async def get(self, path: str, *headers: str) -> tuple[int, dict]:
        raw = Raw(*await asyncio.open_connection("127.0.0.1", self.gateway.port))
        await raw.send("\r\n".join([f"GET {path} HTTP/1.1", "Host: x", *headers, "\r\n"]).encode())
        status, _, body = await raw.response()
        await raw.close()
        return status, body


@asynccontextmanager
async def cluster(policy: str = "two-choices", **settings: object) -> AsyncIterator[Cluster]:
    made = Cluster(policy, **settings)  # type: ignore[arg-type]
    await made.start()
    try:
        yield made
    finally:
        await made.stop()


@asynccontextmanager
async def node() -> AsyncIterator[tuple[str, list[str]]]:
    """A node that notes the targets it is asked for, and stays open."""
    targets: list[str] = []

    async def serve(reader, writer):
        head = await read_head(reader)
        targets.append(head.split(b" ")[1].decode())
        if "refuse" in targets[-1]:
            writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
        else:
            writer.write(answer_101(head))
        await reader.read()

    async with raw_backend(serve) as url:
        yield url, targets


@asynccontextmanager
async def channel_node(made: Cluster, name: str) -> AsyncIterator[ChannelNode]:
    """A channel node of that cluster, which its gateway knows."""
    signer = TicketSigner(b"secret")
    made_node = ChannelNode(
        NodeConfig(port=0, stop_deadline_s=0.5),
        NodeName(name),
        incarnation_of(name),
        made.hub.open(),
        signer,
        ring_secret=b"secret",
    )
    await made_node.start()
    try:
        await eventually(lambda: name in made.directory.view.nodes)
        yield made_node
    finally:
        await made_node.stop()
