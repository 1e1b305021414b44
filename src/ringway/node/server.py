"""The channel node as a whole: start, beat, stop."""

import asyncio
import random
import resource
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from importlib.metadata import version
from math import floor
from typing import Any

import structlog

from ringway.core.files import UNLIMITED, plan_files
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
from ringway.node.channels.join_leave import Notices
from ringway.node.channels.presence import Presence
from ringway.node.channels.streams import Streams
from ringway.node.commands.queue import Workers
from ringway.node.config.namespace import Namespaces
from ringway.node.config.node import NodeConfig
from ringway.node.connection.connection import Connection
from ringway.node.connection.handshake import Accepted
from ringway.node.connection.intake import Intake
from ringway.node.connection.keepalive import Keepalive
from ringway.node.connection.listener import Gate, listen
from ringway.node.connection.outbox import Outbox, Send
from ringway.node.connection.registry import Roster
from ringway.node.sessions.donor import Handovers
from ringway.node.sessions.target import Arrivals
from ringway.node.shared import Shared
from ringway.node.stats import Stats
from ringway.ports import Engine
from ringway.protocol.close import SHUTDOWN
from ringway.protocol.envelope import Origin
from ringway.protocol.head import RequestHead
from ringway.protocol.host import is_loopback
from ringway.protocol.proxy_header import Peer
from ringway.protocol.report import Report
from ringway.protocol.ticket import TicketSigner
from ringway.protocol.upgrade import wants_upgrade
from ringway.types import Incarnation, NodeName, NodeState

_STOP_BATCHES = 20

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
        self.hub: Hub[Connection, Send] = Hub()
        self.tickets = RedeemedTickets(clock)
        self.sent = SentMoves(incarnation, clock)
        self.gateways = GatewayOrigins()
        self.feed = Feed(clock, (self.tickets.on_event, self.sent.on_event, self.gateways.on_event))
        self._engine = engine
        self._clock = clock
        self._vitals = Vitals(clock)
        self._workers = Workers()
        rng = rng or random.Random()
        outbox = Outbox(config.outbox_bytes_max, self.stats)
        namespaces = Namespaces(config.namespaces)
        origin = Origin(incarnation)
        watchers: Hub[Connection, Send] = Hub()
        files = plan_files(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
        roster = Roster()
        notices = Notices(engine.broker, origin, self.stats, config.engine_deadline_s)
        self._shared = Shared(
            name=name,
            version=version("ringway"),
            config=config,
            engine=engine,
            clock=clock,
            rng=rng,
            stats=self.stats,
            hub=self.hub,
            watchers=watchers,
            outbox=outbox,
            roster=roster,
            gate=Gate(config.pending_max, self.stats, clock, files, lambda: len(roster)),
            keepalive=Keepalive(config, rng, self.stats, clock()),
            namespaces=namespaces,
            streams=Streams(engine, namespaces, self.hub, watchers, outbox, config, self.stats, clock),
            presence=Presence(engine, namespaces, self.hub, notices, config, self.feed.count_nodes),
            origin=origin,
            workers=self._workers,
            intake=Intake(),
            arrivals=Arrivals(signer, wall),
            connections_max=min(config.connections_max or UNLIMITED, files.stay),
            second=floor(clock()),
        )
        self._workers.shared = self._shared.intake.shared = self._shared
        self._shared.arrivals.shared = self._shared
        self._shared.presence.guests.append(self._shared.arrivals.guests)
        self._drain = Drain(self._shared)
        self._reporter = Reporter(self._shared, self.tickets, self.sent, self._drain, self._vitals, incarnation)
        self._handovers = Handovers(self._shared, self.sent, signer, incarnation, wall)
        self._mover = Mover(self._shared, self._handovers, self._drain, ring_secret)
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
        return self._shared.roster.connected

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
        for retention in self._shared.namespaces.retentions():
            await self._engine.history.keep(retention)
        self._engine.broker.attach(self._shared.streams.fanout.deliver)
        self._engine.on_return.append(self._shared.streams.returned)
        await self._engine.registry.watch(self.feed.on_report)
        try:
            self._server = await listen(config, self._shared.gate, self._welcome)
        except OSError as error:
            raise ConfigError(
                f"the node cannot listen on {config.host}:{config.port} ({error.strerror or error}); "
                "choose another with --port, or 0 for a free one"
            ) from error
        self._admission.on_loopback = all(is_loopback(sock.getsockname()[0]) for sock in self._server.sockets)
        watch_peers_of(self._server.sockets, config.tcp_keepalive_s)
        self._reporter.url = config.url or f"ws://{reachable(config.host)}:{self.port}{config.path}"
        self._reporter.public_url = config.public_url
        await self._shared.presence.start()
        await self._shared.arrivals.start()
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
        self._shared.gate.close()
        await self._mover.stop()
        await self._handovers.stop(self.config.stop_deadline_s)
        await self._shared.arrivals.stop()
        await self._say_goodbye()
        await self._workers.close()
        await self._shared.presence.stop()
        with suppress(ValueError):  # stopped before it had started, or again
            self._engine.on_return.remove(self._shared.streams.returned)
        await self._shared.streams.close()
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
        return Accepted(Connection(self._shared, admitted, self._clock()), admitted.protocol)

    async def _beat(self) -> None:
        """Let time pass for all parts of the node."""
        shared = self._shared
        loop = asyncio.get_running_loop()
        while True:
            self._vitals.expect(self._clock() + TICK_S)
            at = loop.time() + TICK_S
            await asyncio.sleep(max(0.0, at - loop.time()))
            self._vitals.pulse()
            try:
                now = self._clock()
                self._fencing.tick(self._reporter.seq)
                if floor(now) != shared.second:
                    shared.second = floor(now)
                    shared.roster.sweep(now, self.config.move_cool_down_s)
                self.feed.tick(engine_up=self._engine.up)
                self.tickets.tick()
                self.sent.tick()
                shared.keepalive.tick(now)
                self._drain.tick(now)
                shared.arrivals.tick(now)
                shared.outbox.check()
                shared.gate.tick()
                self._tell_refusals(now)
                shared.streams.sweep()
                self._reporter.poll()
            except Exception:
                _log.exception("a beat failed")

    def _tell_refusals(self, now: float) -> None:
        due = self._admission.refusals.due(now)
        if due is not None:
            address, counts = due
            _log.warning("an address has as much as it may; it was refused more", address=address, **counts)

    async def _say_goodbye(self) -> None:
        """Close all clients with 3001, in batches, so that they do not come back in one crowd; then cut the rest."""
        shared = self._shared
        deadline = self._clock() + self.config.stop_deadline_s
        clients = list(shared.roster)
        size = max(1, -(-len(clients) // _STOP_BATCHES))
        for start in range(0, len(clients), size):
            for connection in clients[start : start + size]:
                connection.close(SHUTDOWN, "shutdown")
            await asyncio.sleep(min(0.05, self.config.stop_deadline_s / (2 * _STOP_BATCHES)))
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, deadline - self._clock())):
                await shared.roster.emptied()
        for connection in shared.roster:
            connection.cut()
        await shared.roster.emptied()
