"""The channel node as a whole: start, beat, stop."""

import asyncio
import random
import time
from collections.abc import Callable, Coroutine
from typing import Any

import structlog

from ringway.core.hub import Hub
from ringway.core.membership import TICK_S
from ringway.errors import ConfigError, EngineError, UpgradeError
from ringway.member.admission import Admission
from ringway.member.drain import Drain
from ringway.member.feed import Feed
from ringway.member.fencing import Fencing
from ringway.member.gateway_origins import GatewayOrigins
from ringway.member.orders import Mover
from ringway.member.process import Vitals
from ringway.member.redeemed_tickets import RedeemedTickets
from ringway.member.reporter import Reporter
from ringway.member.sent_moves import SentMoves
from ringway.member.shutdown import depart
from ringway.net.listening import Listening, reachable
from ringway.net.liveness import watch_peers_of
from ringway.node.clients import NodeClients
from ringway.node.config.node import NodeConfig
from ringway.node.connection.handler import Identity
from ringway.node.connection.handshake import Accepted
from ringway.node.connection.listener import listen
from ringway.node.connection.subscriber import Send, Subscriber
from ringway.node.shared import Shared
from ringway.node.stats import Stats
from ringway.ports import Engine
from ringway.protocol.head import RequestHead
from ringway.protocol.host import is_loopback
from ringway.protocol.proxy_header import Peer
from ringway.protocol.report import Report
from ringway.protocol.ticket import TicketSigner
from ringway.protocol.upgrade import wants_upgrade
from ringway.types import Incarnation, NodeName, NodeState

_log = structlog.get_logger()


class ChannelNode:
    """A channel node. `start` it, let it run, `stop` it; the engine stays the caller's.

    `clock` is monotonic and `wall` Unix time, in seconds. `ring_secret` keys the hash ring as in the gateways' policy.
    """

    def __init__(
        self,
        config: NodeConfig,
        name: NodeName,
        incarnation: Incarnation,
        engine: Engine,
        signer: TicketSigner,
        *,
        ring_secret: bytes = b"",
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        rng: random.Random | None = None,
    ) -> None:
        self.config = config
        self.name = name
        self.incarnation = incarnation
        self.stats = Stats()
        self.tickets = RedeemedTickets(clock)
        self.sent = SentMoves(incarnation, clock)
        self.gateways = GatewayOrigins()
        self.feed = Feed(clock, (self.tickets.on_event, self.sent.on_event, self.gateways.on_event))
        self._engine = engine
        self._clock = clock
        self._vitals = Vitals(clock)
        rng = rng or random.Random()
        self._clients = NodeClients(
            config,
            name,
            incarnation,
            engine,
            signer,
            self.stats,
            rng,
            clock,
            wall,
            is_draining=lambda: self.state is NodeState.DRAINING,
            nodes_alive=self.feed.count_nodes,
            on_sent=self.sent.count_move,
        )
        self._shared = Shared(
            name=name,
            version=self._clients.version,
            config=config,
            engine=engine,
            clock=clock,
            rng=rng,
            stats=self.stats,
            roster=self._clients.registry,
            gate=self._clients.gate,
            arrivals=self._clients.targets,
            connections_max=self._clients.connections_max,
        )
        self._drain = Drain(self._shared)
        self._reporter = Reporter(self._shared, self.tickets, self.sent, self._drain, self._vitals, incarnation)
        self._mover = Mover(self._shared, self._clients.donors, self._drain, ring_secret)
        self._fencing = Fencing(self._shared)
        self._admission = Admission(
            self._shared, self.tickets, self.gateways, signer, wall, lambda: self._vitals.accept_per_s
        )
        self._server: Listening | None = None
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def port(self) -> int:
        """The port that the node listens on; 0 before `start`."""
        return self._server.port if self._server is not None else 0

    @property
    def engine(self) -> Engine:
        """The engine that it is connected to."""
        return self._engine

    @property
    def clients(self) -> NodeClients:
        """Its connections, channels and sessions."""
        return self._clients

    @property
    def hub(self) -> Hub[Subscriber, Send]:
        """The subscribers of each channel."""
        return self._clients.channels.hub

    @property
    def url(self) -> str:
        """Where members reach the node."""
        return self._reporter.url

    @property
    def state(self) -> NodeState:
        """Whether the node takes new connections."""
        return self._shared.state

    @property
    def connections(self) -> int:
        """How many clients are connected, and not being closed."""
        return self._clients.registry.connected

    @property
    def tasks(self) -> tuple[asyncio.Task[None], ...]:
        """What must not end while this runs; the owner of the process watches over it."""
        return tuple(self._tasks)

    def set_admin_url(self, url: str) -> None:
        """Tell where the admin port is; goes out with the next report."""
        self._reporter.admin_url = url

    def report(self) -> Report:
        """Return a report of this moment, as it goes out."""
        return self._reporter.build()

    async def start(self) -> None:
        """Take connections, and tell the other members.

        Raise `ConfigError` where the port is not to be had, `EngineError` where the engine keeps no history for us.
        """
        config = self.config
        await self._clients.channels.start()
        await self._engine.registry.watch(self.feed.on_report)
        try:
            self._server = await listen(config, self._clients.gate, self._welcome)
        except OSError as error:
            raise ConfigError(
                f"the node cannot listen on {config.host}:{config.port} ({error.strerror or error}); "
                "choose another with --port, or 0 for a free one"
            ) from error
        self._admission.on_loopback = all(is_loopback(sock.getsockname()[0]) for sock in self._server.sockets)
        watch_peers_of(self._server.sockets, config.tcp_keepalive_s)
        self._reporter.url = config.url or f"ws://{reachable(config.host)}:{self.port}{config.path}"
        self._reporter.public_url = config.public_url
        await self._clients.start()
        await self._mover.start()
        self._own(self._beat())
        self._own(self._reporter.run())
        _log.info("node started", name=self.name, url=self.url)

    async def drain(self) -> None:
        """Lead the clients to other nodes, within `drain_within_s`; go before `stop`. At once where that is 0."""
        if self.config.drain_within_s:
            await depart(self._shared, self.feed, self._drain, self._reporter)

    async def stop(self) -> None:
        """Leave in order: tell the members, take no more connections, say goodbye to the clients, close."""
        for task in self._tasks[1:]:  # the reporter: a report after the withdrawal would call the node back
            task.cancel()
        await asyncio.gather(*self._tasks[1:], return_exceptions=True)
        try:
            async with asyncio.timeout(1.0):
                await self._engine.registry.withdraw(self.name)
        except (EngineError, TimeoutError) as error:
            _log.warning("the withdrawal was not sent", error=str(error))
        if self._server is not None:
            self._server.close()
        self._clients.gate.close()
        await self._mover.stop()
        await self._clients.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        _log.info("node stopped", name=self.name)

    def _own(self, work: Coroutine[Any, Any, None]) -> None:
        self._tasks.append(asyncio.get_running_loop().create_task(work))

    def _welcome(self, head: RequestHead, peer: Peer) -> Accepted:
        """Judge one request (`handshake.Welcome`)."""
        try:
            admitted = self._admission.admit(head, peer)
        except UpgradeError as error:
            if wants_upgrade(head.headers):  # else it is no handshake: a gateway asks how quickly it is refused
                self.stats.refused[error.status] += 1
            raise
        except Exception:
            _log.exception("a handshake was not handled")
            self.stats.refused[500] += 1
            raise UpgradeError(500, "internal server error") from None
        identity = Identity(admitted.address, admitted.key, admitted.moved, admitted.pinned, admitted.follows)
        return Accepted(self._clients.connect(identity, admitted.arrival), admitted.protocol)

    async def _beat(self) -> None:
        """Let time pass for all parts of the node."""
        loop = asyncio.get_running_loop()
        while True:
            self._vitals.expect(self._clock() + TICK_S)
            at = loop.time() + TICK_S
            await asyncio.sleep(max(0.0, at - loop.time()))
            self._vitals.pulse()
            try:
                now = self._clock()
                self._fencing.tick(self._reporter.seq)
                self.feed.tick(engine_up=self._engine.up)
                self.tickets.tick()
                self.sent.tick()
                self._clients.tick(now)
                self._drain.tick(now)
                self._tell_refusals(now)
                self._reporter.poll()
            except Exception:
                _log.exception("a beat failed")

    def _tell_refusals(self, now: float) -> None:
        due = self._admission.refusals.due(now)
        if due is not None:
            address, counts = due
            _log.warning("an address has as much as it may; it was refused more", address=address, **counts)
