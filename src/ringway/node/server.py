"""Channel node as a whole: start, beat, stop."""

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from typing import Any

from ringway.auth.config import TokenConfig
from ringway.auth.verifier import TokenVerifier
from ringway.core.hub import Hub
from ringway.core.membership import TICK_S
from ringway.core.report_reader import ReportReader
from ringway.core.revocations import Revocations
from ringway.core.wire_choice import WireChoice
from ringway.errors import ConfigError, UpgradeError
from ringway.logger import get_logger
from ringway.member.drain import Drain
from ringway.member.feed import Feed
from ringway.member.gateway_origins import GatewayOrigins
from ringway.member.knock import KnockAnswers
from ringway.member.process import ProcessStats
from ringway.member.redeemed_tickets import RedeemedTickets
from ringway.member.sealed_engine import SealedEngine
from ringway.member.sent_moves import SentMoves
from ringway.net.listening import Listening, reachable
from ringway.net.liveness import watch_peers_of
from ringway.net.tls.server import PortTls
from ringway.node.clients import NodeClients
from ringway.node.config.http_api import HttpApiConfig
from ringway.node.config.node import NodeConfig
from ringway.node.config.rpc import RpcOffer
from ringway.node.connection.handshake import Accepted
from ringway.node.connection.listener import listen
from ringway.node.connection.subscriber import Send, Subscriber
from ringway.node.environment import NodeEnvironment
from ringway.node.membership import make_admission, make_member
from ringway.node.server_api.calls import ApiMethod
from ringway.node.server_api.cluster import ClusterCalls
from ringway.node.server_api.local import LocalServer
from ringway.node.server_api.methods import list_methods
from ringway.node.server_api.node_queries import NodeQueries
from ringway.node.server_api.publishing import Publishing
from ringway.node.server_api.queries import ChannelQueries
from ringway.node.server_api.survey import NodeSurvey
from ringway.node.server_api.token_calls import TokenCalls
from ringway.node.server_api.user_calls import UserCalls
from ringway.ports import Engine
from ringway.protocol.beat import settle_steps
from ringway.protocol.head import RequestHead
from ringway.protocol.host import is_loopback
from ringway.protocol.keyring import Keyring, Purpose
from ringway.protocol.knock import KnockProver, knock_response
from ringway.protocol.proxy_header import Peer
from ringway.protocol.report import Report
from ringway.protocol.seal import Unsealer
from ringway.protocol.ticket import TicketSigner
from ringway.protocol.upgrade import wants_upgrade
from ringway.tasks import Tasks, leave_to_waiter
from ringway.types import Incarnation, NodeName, NodeState

NO_TOKENS = TokenConfig()
"""The settings without any key."""

_log = get_logger()


class ChannelNode:
    """A channel node. `start` it, let it run, `stop` it; the caller owns the engine.

    `clock` is monotonic and `wall` Unix time, in seconds. `ring_secret` keys the hash ring as in the gateways' policy.
    `verifier` checks tokens of clients; None: no key is given. `rpc` answers their calls; None: nothing does. `token`
    bounds what is revoked.
    """

    def __init__(
        self,
        config: NodeConfig,
        name: NodeName,
        incarnation: Incarnation,
        engine: Engine,
        keyring: Keyring,
        *,
        ring_secret: bytes = b"",
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        rng: random.Random | None = None,
        verifier: TokenVerifier | None = None,
        rpc: RpcOffer | None = None,
        token: TokenConfig = NO_TOKENS,
    ) -> None:
        rng = rng or random.Random()
        sealed = SealedEngine(engine, keyring, incarnation, wall=wall, clock=clock)
        self.refusals = sealed.refusals
        environment = NodeEnvironment(
            config,
            name,
            incarnation,
            sealed,
            keyring,
            TicketSigner(keyring),
            clock,
            wall,
            rng,
            self.refusals,
            verifier,
            rpc or RpcOffer(),
            Revocations(token.revocations_max),
        )
        self.config = config
        self.tls = PortTls(config, "node", wall) if config.tls_cert else None
        self.name, self.incarnation = name, incarnation
        self.stats = environment.stats
        self.tickets = RedeemedTickets(clock)
        self.sent = SentMoves(clock)
        self.gateways = GatewayOrigins()
        self.feed = Feed(
            ReportReader(Unsealer(keyring, Purpose.REPORT)),
            clock,
            (self.tickets.on_event, self.sent.on_event, self.gateways.on_event),
            wall=wall,
            wire=WireChoice(keyring, incarnation, hears_nodes=False),
        )
        self._engine = engine
        self._environment = environment
        self._revocation_keep_s = token.revocation_keep_s
        self._has_key = verifier is not None
        self._clock = clock
        self._drain = Drain(config.move_cool_down_s)
        self._clients = NodeClients(
            environment,
            is_draining=lambda: self.state is NodeState.DRAINING,
            on_sent=self.sent.count_move,
            make_server=lambda: self.local_server(environment.rpc.api),
        )
        process = ProcessStats(clock)
        self._member = make_member(
            environment, self._clients, self.feed, self._drain, self.tickets, self.sent, process, ring_secret
        )
        admission = make_admission(environment, self.tickets, self._drain, process)
        self._survey = NodeSurvey(environment, self._clients, self.report)
        self._check = self._clients.request_check(admission, self.gateways)
        self._knocks = KnockAnswers(KnockProver(keyring), name, incarnation, self.stats.knocks, clock)
        self._server: Listening | None = None
        self._tasks = Tasks(leave_to_waiter)

    @property
    def port(self) -> int:
        """The port on which the node listens; 0 before `start`."""
        return self._server.port if self._server is not None else 0

    def reach_problem(self) -> str:
        """Return the number of gateways that could not open the node's URL lately, with reasons; empty if there is no
        problem."""
        return self._member.reach_problem()

    def problems(self) -> str:
        """Return what is wrong with the node's surroundings: gateways that do not reach it, and hooks that fail."""
        return "; ".join(filter(None, (self.reach_problem(), self._clients.hooks.problem())))

    @property
    def engine(self) -> Engine:
        """The engine to which it is connected."""
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
        """The URL at which members reach the node."""
        return self._member.reporter.url

    @property
    def state(self) -> NodeState:
        """`ACTIVE` if the node accepts new connections, `DRAINING` if it does not."""
        return self._drain.state

    @property
    def connections(self) -> int:
        """The number of clients that are connected, and not being closed."""
        return self._clients.registry.connected

    @property
    def tasks(self) -> tuple[asyncio.Task[Any], ...]:
        """The tasks that must not end while the node runs; the owner of the process awaits them."""
        return (*self._tasks, *self._member.tasks)

    def set_admin_url(self, url: str) -> None:
        """Set the URL of the admin port; the next report has it."""
        self._member.reporter.set_urls(admin_url=url)

    def report(self) -> Report:
        """Return a report of this moment, in the form that is sent."""
        return settle_steps(self._member.reporter.build())

    def api_methods(self, config: HttpApiConfig) -> Sequence[ApiMethod]:
        """Return what backends may call, for a port of the server API in this process."""
        context = self._clients.context
        bus, most = self._environment.engine.bus, config.channels_max
        cluster = ClusterCalls(bus, self.feed.live, self._clock, config.cluster_deadline_s)
        users = UserCalls(cluster, context, self._environment.wall)
        tokens = TokenCalls(cluster, context, self._revocation_keep_s)
        return list_methods(
            Publishing(context, most), ChannelQueries(context), NodeQueries(cluster, most), users, tokens
        )

    def local_server(self, config: HttpApiConfig) -> LocalServer:
        """Return the server API for calls in this process."""
        return LocalServer(self.api_methods(config), config.commands_max)

    async def start(self) -> None:
        """Accept connections, and report to the other members.

        Raise `ConfigError` if the port cannot be opened, `EngineError` if the engine provides no history for the node.
        """
        config = self.config
        await self._clients.channels.start()
        await self._member.watch()
        await self._clients.exchange.start()  # before the first client comes with a token that is revoked
        try:
            self._server = await listen(config, self._clients.handshakes, self._answer_request, self.tls)
        except OSError as error:
            raise ConfigError(
                f"the node cannot listen on {config.host}:{config.port} ({error.strerror or error}); "
                "choose another with --port, or 0 for a free one"
            ) from error
        if all(is_loopback(sock.getsockname()[0]) for sock in self._server.sockets):
            self._check.set_on_loopback()
        watch_peers_of(self._server.sockets, config.tcp_keepalive_s)
        scheme = "wss" if self.tls is not None else "ws"
        url = config.url or f"{scheme}://{reachable(config.host)}:{self.port}{config.path}"
        self._member.reporter.set_urls(url=url, public_url=config.public_url)
        await self._clients.start()
        await self._survey.start()
        await self._member.start()
        self._tasks.spawn(self._beat(), name="beat")
        _log.info("node started", name=self.name, url=self.url)
        if not (config.takes_anonymous or self._has_key or config.connect_hook):
            _log.warning(
                "no client can connect: there is no key for tokens, and anonymous clients are refused; give a key "
                "(token.hmac_secret_key) or a connect_hook, or "
                "set allow_anonymous_connect_without_token, or insecure to check nothing"
            )

    async def drain(self) -> None:
        """Move the clients to other nodes within `drain_within_s`, before `stop`; return at once if it is 0."""
        await self._member.drain()

    async def stop(self) -> None:
        """Leave in order: withdraw from the members, stop accepting connections, close the clients, close the rest."""
        await self._member.leave()
        if self._server is not None:
            self._server.close()
        self._clients.handshakes.abort()
        await self._member.stop_orders()
        await self._survey.stop()
        await self._clients.stop_calls()
        await self._clients.stop_sessions()
        await self._member.close_connections()
        await self._clients.stop()
        await self._tasks.aclose()
        _log.info("node stopped", name=self.name)

    def _answer_request(self, head: RequestHead, peer: Peer) -> Accepted | bytes:
        """Check one request (`handshake.AnswerRequest`)."""
        try:
            knock = self._knocks.answer(head.headers)
            if knock is not None:
                return knock_response(self._check.read_upgrade(head), knock)
            admitted = self._check.admit(head, peer)
        except UpgradeError as error:
            if wants_upgrade(head.headers):  # a request without an upgrade is no handshake
                self.stats.refused[error.status] += 1
            raise
        except Exception:
            _log.exception("a handshake was not handled")
            self.stats.refused[500] += 1
            raise UpgradeError(500, "internal server error") from None
        return Accepted(self._clients.connect(admitted.identity, admitted.nonce), admitted.protocol)

    async def _beat(self) -> None:
        """Let time pass for all parts of the node."""
        loop = asyncio.get_running_loop()
        while True:
            self._member.expect_tick()
            at = loop.time() + TICK_S
            await asyncio.sleep(max(0.0, at - loop.time()))
            try:
                self._member.tick()
                now = self._clock()
                self._clients.tick(now)
                self._update_gauges(now)
                self._log_refusals(now)
            except Exception:
                _log.exception("a beat failed")

    def _update_gauges(self, now: float) -> None:
        stats, clients = self.stats, self._clients
        stats.connections = clients.registry.connected
        stats.pending = len(clients.handshakes) + clients.registry.waiting
        stats.handshake_p99_s = round(clients.handshakes.latency.p99(now), 6)
        stats.missed = self.sent.missed

    def _log_refusals(self, now: float) -> None:
        due = self._check.refusals.due(now)
        if due is not None:
            address, counts = due
            _log.warning("an address has as much as it may; it was refused more", address=address, **counts)
