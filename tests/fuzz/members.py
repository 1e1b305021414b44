"""Mutated messages at the members of a real cluster, from a stranger with the engine's credentials.

Usage: scripts/fuzz members [MESSAGES [ENGINE...]] (1,000,000; nats redis). Everything must end in a counted refusal: no
exception is logged or unhandled, and after every batch a publication reaches its subscriber. docs/howto/secure.md tells
what came of a million.
"""

import asyncio
import random
import sys
import time
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from typing import Any

from fuzz.stranger import Stranger, mutated, stranger_at
from integration.node.kit import Peer
from ringway.app.engine import EngineConfig, open_engine
from ringway.balancer.balancer import Balancer
from ringway.core.balance.config import BalanceConfig
from ringway.core.report_reader import ReportReader
from ringway.core.report_writer import ReportWriter
from ringway.errors import EngineError, NoAnswer
from ringway.gateway.cluster.control import GatewayControl
from ringway.gateway.cluster.directory import Directory
from ringway.gateway.cluster.reporter import GatewayReporter
from ringway.logger import Event
from ringway.member.leader_call import call_plan
from ringway.member.sealed_engine import SealedEngine
from ringway.node.config.node import NodeConfig
from ringway.node.server import ChannelNode
from ringway.ports import Engine
from ringway.protocol.control import GATEWAYS, ListProblems, gateway_address
from ringway.protocol.control import encode as encode_for_gateway
from ringway.protocol.handover import session_address
from ringway.protocol.keyring import Keyring, Purpose
from ringway.protocol.order import MoveOrder, encode, node_address
from ringway.protocol.presence import presence_address
from ringway.protocol.report import Report
from ringway.protocol.seal import Sealer, Unsealer
from ringway.protocol.survey import NODES
from ringway.protocol.taken import issuer_address
from ringway.protocol.user_order import USERS
from ringway.tasks import Tasks
from ringway.types import Incarnation, Issuer, NodeName, Role
from support.fleet.kind import running_fleet
from support.log_capture import capture_logs
from support.sealed import sealed_bus

CLUSTER = "fuzzed"
KEYRING = Keyring(b"the cluster's secret")
BATCH = 500
PATIENCE_S = 60.0
CHANNELS = ("live:a", "kept:a")


@dataclass
class Outcome:
    """What came of a campaign."""

    sent: int = 0
    refused: int = 0
    malformed: int = 0
    closed: int = 0
    faults: list[str] = field(default_factory=list)


class GatewayMember:
    """What a gateway is to the other members: its reports, its ears, its answers to operators, and its balancer."""

    def __init__(self, engine: Engine) -> None:
        name, incarnation, rng = NodeName("g1"), Incarnation("000000aa"), random.Random(3)
        self.engine = SealedEngine(engine, KEYRING, incarnation)
        self.directory = Directory(Issuer(incarnation), ReportReader(Unsealer(KEYRING, Purpose.REPORT)))
        self.balancer = Balancer(
            BalanceConfig(), name=name, groups=self.directory.groups, engine=self.engine,
            clock=time.monotonic, proven_fence=self.directory.proven_fence, held=self.directory.held,
        )  # fmt: skip
        self.control = GatewayControl(name, self.directory, rng, self.engine, self.balancer.decisions)
        writer = ReportWriter(name, Sealer(KEYRING, Purpose.REPORT, incarnation, time.time), rng)
        me = Report(name=name, incarnation=incarnation, role=Role.GATEWAY, seq=0, url="http://127.0.0.1:1")
        self.reporter = GatewayReporter(
            self.directory, self.engine, me, writer, rng, leading=lambda: self.balancer.leading
        )
        self._tasks = Tasks()

    async def start(self) -> None:
        """Hear, report, answer and balance."""
        await self.control.serve()
        await self.reporter.start()
        self._tasks.spawn(self.balancer.run(), name="balancer")

    async def stop(self) -> None:
        """Leave the cluster."""
        await self._tasks.aclose()
        await self.reporter.stop()
        await self.control.stop()

    def refused(self) -> int:
        """Return how many messages it has not believed."""
        return sum(self.engine.refusals.counts.values()) + sum(self.directory.feed.strangers.refused.values())


class Target:
    """Two nodes with clients, and a gateway, on one engine."""

    def __init__(self, url: str, stack: AsyncExitStack) -> None:
        self._url = url
        self._stack = stack
        self.nodes: list[ChannelNode] = []
        self.peers: list[Peer] = []
        self.closed = 0
        """How often clients were closed, and came back."""

    async def open(self) -> Engine:
        """Connect to the engine."""
        config = EngineConfig(url=self._url, cluster=CLUSTER, wait_s=PATIENCE_S)
        return await self._stack.enter_async_context(open_engine(config, "fuzz"))

    async def start(self) -> None:
        """Start the gateway and the nodes, and connect a client to each node."""
        self.gateway = GatewayMember(await self.open())
        self._stack.push_async_callback(self.gateway.stop)
        await self.gateway.start()
        namespaces = ("live:history_size=0,presence=true,join_leave=true", "kept:history_size=50")
        for number in (1, 2):
            config = NodeConfig(insecure=True, stop_deadline_s=1.0, allowed_hosts=("*",), namespaces=namespaces)
            name, incarnation = NodeName(f"n{number}"), Incarnation(f"{number:08x}")
            node = ChannelNode(config, name, incarnation, await self.open(), KEYRING, rng=random.Random(number))
            self._stack.push_async_callback(node.stop)
            await node.start()
            self.nodes.append(node)
            self.peers.append(await self._dial(node))

    async def _dial(self, node: ChannelNode) -> Peer:
        peer = await Peer.open(node.port)
        self._stack.callback(peer.abort)
        await peer.connect()
        for channel in CHANNELS:
            await peer.subscribe(channel)
        return peer

    async def speak(self) -> None:
        """Have members send each other messages of every kind, which the stranger records."""
        order = encode(MoveOrder(fence=1, target=NodeName("n2"), count=0, within_s=0))
        bus = sealed_bus(await self.open(), KEYRING)
        for turn in range(5):
            for channel in CHANNELS:
                await self.peers[turn % 2].publish(channel, f"turn {turn}")
            await self.peers[turn % 2].ask(presence={"channel": "live:a"})
            await bus.call(node_address(NodeName("n1")), order, timeout_s=PATIENCE_S)
            await bus.gather(GATEWAYS, encode_for_gateway(ListProblems()), timeout_s=PATIENCE_S, expected=1)
        async with asyncio.timeout(PATIENCE_S):
            while not self.gateway.balancer.leading:
                await asyncio.sleep(0.05)
        await call_plan(bus, dry_run=True, timeout_s=PATIENCE_S)
        for address in self._addresses():
            with suppress(NoAnswer):
                await bus.call(address, b"a request that nobody can read", timeout_s=1.0)

    def _addresses(self) -> list[str]:
        """Return the other addresses of the bus that members serve."""
        addresses = [gateway_address(NodeName("g1")), NODES, USERS]
        for number in (1, 2):
            name, incarnation = NodeName(f"n{number}"), Incarnation(f"{number:08x}")
            addresses += [node_address(name), session_address(name), issuer_address(Issuer(incarnation))]
            addresses.append(presence_address(bytes.fromhex(incarnation)))
        return addresses

    async def check(self, number: int) -> str:
        """Publish in each channel; return what is wrong if that does not reach the subscriber at the other node.

        A stranger that floods a history drives genuine publications out of it, so clients may be closed for that
        (3010): they come back, as clients do.
        """
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not await self._exchange(f"check {number}"):
                    self.closed += 1
                    self.peers = [await self._dial(node) for node in self.nodes]
        except TimeoutError:
            return f"publications were not delivered after {number} messages"
        return ""

    async def _exchange(self, mark: str) -> bool:
        """Publish `mark` in each channel, and receive it; False if a client was closed meanwhile."""
        reader, writer = self.peers
        try:
            for channel in CHANNELS:
                while "error" in await writer.ask(publish={"channel": channel, "data": mark}):
                    await asyncio.sleep(0.05)
                while (await reader.push()).get("pub", {}).get("data") != mark:
                    pass
        except (AssertionError, ConnectionError, asyncio.IncompleteReadError):
            return False
        return True


async def fire(url: str, count: int, seed: int) -> Outcome:
    """Send `count` mutated messages to a cluster on the engine at `url`."""
    outcome, unhandled = Outcome(), list[dict[str, Any]]()
    rng = random.Random(seed)
    asyncio.get_running_loop().set_exception_handler(lambda _, context: unhandled.append(context))
    async with AsyncExitStack() as stack:
        target = Target(url, stack)
        stranger = await stack.enter_async_context(stranger_at(url, CLUSTER))
        logs = stack.enter_context(capture_logs())
        await target.start()
        await target.speak()
        await asyncio.sleep(1.5)  # reports are among what is recorded
        await _send(stranger, target, count, rng, outcome)
        outcome.refused = target.gateway.refused() + sum(sum(node.refusals.counts.values()) for node in target.nodes)
        outcome.malformed = sum(node.stats.malformed + node.stats.repeated for node in target.nodes)
        outcome.closed = target.closed
        outcome.faults += _faults(logs, unhandled)
    return outcome


async def _send(stranger: Stranger, target: Target, count: int, rng: random.Random, outcome: Outcome) -> None:
    recorded = list(stranger.recorded)
    while outcome.sent < count and not outcome.faults:
        for _ in range(min(BATCH, count - outcome.sent)):
            await stranger.send(mutated(recorded, rng))
            outcome.sent += 1
        await stranger.flush()
        problem = await target.check(outcome.sent)
        if problem:
            outcome.faults.append(problem)


def _faults(logs: list[Event], unhandled: list[dict[str, Any]]) -> list[str]:
    logged = [f"logged: {event}" for event in logs if event.get("exc_info") or event["log_level"] == "error"]
    return logged + [f"unhandled: {context.get('message')}: {context.get('exception')!r}" for context in unhandled]


def main() -> int:
    """Run the campaign that the arguments describe; return the exit code."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    code = 0
    for kind in sys.argv[2:] or ["nats", "redis"]:
        began = time.monotonic()
        with running_fleet(kind) as fleet:
            try:
                outcome = asyncio.run(fire(fleet.url, count, seed=int(time.time())))
            except EngineError as error:
                outcome = Outcome(faults=[str(error)])
        took = time.monotonic() - began
        told = (
            f"{kind}: {outcome.sent:,} messages in {took:,.0f} s; {outcome.refused:,} refused, {outcome.malformed:,} "
            f"malformed, clients closed {outcome.closed:,} times, {len(outcome.faults)} faults"
        )
        sys.stdout.write("\n  ".join([told, *outcome.faults[:20]]) + "\n")
        code = code or int(bool(outcome.faults))
    return code


if __name__ == "__main__":
    sys.exit(main())
