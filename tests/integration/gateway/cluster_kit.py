"""A gateway with an engine, for tests: members report what the test says, and nodes note each request."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from hashlib import blake2b

from gateway_kit import PATIENCE_S, Raw, answer_101, eventually, raw_backend, read_head

from ringway.core.group import Groups
from ringway.core.membership import MemberLeft, MembershipEvent
from ringway.core.steering import Steering
from ringway.engine.memory.engine import MemoryHub
from ringway.gateway.cluster.directory import Directory
from ringway.gateway.cluster.reporter import GatewayReporter
from ringway.gateway.config.gateway import GatewayConfig
from ringway.gateway.server import Gateway
from ringway.member.feed import Feed
from ringway.node.config.node import NodeConfig
from ringway.node.server import ChannelNode
from ringway.protocol.group import CHANNELS
from ringway.protocol.keyring import Keyring
from ringway.protocol.order import (
    BALANCER,
    NodeConsent,
    NodeRequest,
    decode_balancer_request,
    decode_node_answer,
    encode,
    node_address,
)
from ringway.protocol.owners import Owners, OwnersRequest, answer_with, version_of
from ringway.protocol.report import Report
from ringway.protocol.ticket import TicketKind, TicketSigner
from ringway.types import Incarnation, Issuer, NodeName, NodeState, Role
from support.members import Speaker, report_reader, report_writer
from support.sealed import sealed_bus

SETTINGS = {"port": 0, "linger_s": 0.5, "allowed_hosts": ("*",), "knock": False}
"""The nodes here are what a test says: they cannot prove who they are."""


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


KEYRING = Keyring(b"secret")


class Cluster:
    """A gateway over a memory hub, and members that say what the test wants; the secret is the same in all."""

    def __init__(self, policy: str, name: str = "gw", hub: MemoryHub | None = None, **settings: object) -> None:
        self.name = NodeName(name)
        self.hub = hub or MemoryHub()
        self.incarnation = incarnation_of(name)
        self.engine = self.hub.open()
        self.others = self.hub.open()
        self.signer = TicketSigner(Keyring(b"secret"))  # a test may change its secret alone
        self.steering = Steering(policy, b"secret")
        issuer = Issuer(self.incarnation)
        self.directory = Directory(issuer, report_reader(KEYRING), groups=Groups(issuer, lambda name: self.steering))
        config = GatewayConfig(**{**SETTINGS, **settings})  # type: ignore[arg-type]
        self.gateway = Gateway(config, self.directory, self.signer, random.Random(5))
        self.leading = False
        self.owners: Owners | None = None  # by which nodes are to count
        self.told: list[Report] = []
        self.speaker = Speaker(self.others, KEYRING)
        self._dialled: list[Raw] = []
        self._keeping: dict[str, Report] = {}

    async def start(self) -> None:
        await Feed(report_reader(KEYRING), listeners=[self._on_event]).follow(self.others.registry)
        await self.gateway.start()
        me = Report(name=self.name, incarnation=self.incarnation, role=Role.GATEWAY, seq=0, url=self.url("/", "http"))
        self._reporter = GatewayReporter(
            self.directory,
            self.engine,
            me,
            report_writer(KEYRING, me.name, me.incarnation),
            random.Random(6),
            leading=lambda: self.leading or self.owners is not None,
            owners=lambda: {} if self.owners is None else {CHANNELS: version_of(self.owners)},
        )
        await self._reporter.start()
        await sealed_bus(self.others, Keyring(b"secret")).serve(BALANCER, self._tell_owners)
        self._keeper = asyncio.create_task(self._keep())

    async def stop(self) -> None:
        self._keeper.cancel()
        await asyncio.gather(self._keeper, return_exceptions=True)
        await self._reporter.stop()
        await self.gateway.stop()
        await self.hang_up()
        await self.engine.close()
        await self.others.close()

    def _on_event(self, event: MembershipEvent) -> None:
        if event.report.name == self.name and not isinstance(event, MemberLeft):
            self.told.append(event.report)

    async def _keep(self) -> None:
        """Report for the members that the test has brought in, a few times a second."""
        while True:
            for said in list(self._keeping.values()):
                await self.speaker.announce(said)
            await asyncio.sleep(0.2)

    async def announce(self, name: str, url: str, **fields: object) -> None:
        """Have a node reported from now on."""
        self._keeping[name] = report(name, url, **fields)
        await self.speaker.announce(self._keeping[name])

    async def join(self, name: str, url: str, **fields: object) -> None:
        """Have a node reported from now on, and wait until the gateway knows it."""
        await self.announce(name, url, **fields)
        state = fields.get("state", NodeState.ACTIVE)
        await eventually(
            lambda: name in self.directory.groups.nodes and self.directory.groups.nodes[name].state is state
        )

    def fall_silent(self, name: str) -> None:
        del self._keeping[name]

    async def withdraw(self, name: str) -> None:
        await self.speaker.withdraw(self._keeping.pop(name))

    def url(self, path: str, scheme: str = "ws") -> str:
        return f"{scheme}://127.0.0.1:{self.gateway.port}{path}"

    def ticket(self, target: str) -> str:
        """A ticket for `target`, as a node issues one for a client that it moves there."""
        nonce = random.randbytes(8)
        return self.signer.issue(NodeName(target), Issuer("00000001"), nonce, time.time(), kind=TicketKind.MOVE)

    async def ask_node(self, name: str, request: NodeRequest) -> NodeConsent:
        """Return the answer of a channel node to a request of members."""
        raw = await sealed_bus(self.others, Keyring(b"secret")).call(
            node_address(NodeName(name)), encode(request), timeout_s=PATIENCE_S
        )
        answer = decode_node_answer(raw)
        assert isinstance(answer, NodeConsent)
        return answer

    async def count(self, node: str, owners: Owners) -> dict[NodeName, int]:
        """Return what a channel node reports that other nodes own of its keys."""
        self.owners = owners
        await eventually(lambda: self._reported(node).counted == version_of(owners))
        return self._reported(node).misplaced

    def _reported(self, node: str) -> Report:
        report = self.directory.groups.nodes[NodeName(node)].report
        assert report is not None
        return report

    async def _tell_owners(self, raw: bytes) -> bytes:
        request = decode_balancer_request(raw)
        assert isinstance(request, OwnersRequest)
        assert self.owners is not None
        return encode(answer_with(self.owners, request.version, None, ""))

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
async def channel_node(
    made: Cluster,
    name: str,
    secret: bytes | Keyring = b"secret",
    incarnation: str = "",
    wall: Callable[[], float] = time.time,
    **settings: object,
) -> AsyncIterator[ChannelNode]:
    """A channel node of that cluster, which its gateway knows; a keyring may have another secret, so it may not."""
    made_node = ChannelNode(
        NodeConfig(**{"port": 0, "insecure": True, "stop_deadline_s": 0.5, **settings}),  # type: ignore[arg-type]
        NodeName(name),
        Incarnation(incarnation) if incarnation else incarnation_of(name),
        made.hub.open(),
        secret if isinstance(secret, Keyring) else Keyring(secret),
        ring_secret=b"secret",
        wall=wall,
    )
    await made_node.start()
    try:
        if not isinstance(secret, Keyring):
            await eventually(lambda: name in made.directory.groups.nodes)
        yield made_node
    finally:
        await made_node.stop()
