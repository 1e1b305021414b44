"""Clients of a node: their connections, channels, commands and sessions, put together."""

import resource
from collections.abc import Callable

from ringway.core.files import UNLIMITED, plan_files
from ringway.core.recent_orders import RecentOrders
from ringway.hooks.hooks import Hooks
from ringway.member.admission import Admission
from ringway.member.gateway_origins import GatewayOrigins
from ringway.member.revocation_exchange import RevocationExchange
from ringway.node.channels.channels import Channels
from ringway.node.commands.context import CommandContext
from ringway.node.commands.expiry import Expiry
from ringway.node.commands.handler import ClientHandler
from ringway.node.commands.hook_refreshes import HookRefreshes
from ringway.node.commands.queues import CommandQueues
from ringway.node.commands.revoked_clients import RevokedClients
from ringway.node.commands.rpc_calls import RpcCalls
from ringway.node.commands.single_connections import SingleConnections
from ringway.node.commands.subscribe import unsubscribe
from ringway.node.commands.tokens import TokenChecks
from ringway.node.commands.user_orders import UserOrders
from ringway.node.config.node import NodeConfig
from ringway.node.connection.connection import Connection, ConnectionContext
from ringway.node.connection.handler import Identity
from ringway.node.connection.keepalive import Keepalive
from ringway.node.connection.outbox import Outbox
from ringway.node.connection.pending_handshakes import PendingHandshakes
from ringway.node.connection.registry import ConnectionRegistry
from ringway.node.connection.request_check import RequestCheck
from ringway.node.connection.shares import ClientShares
from ringway.node.environment import NodeEnvironment
from ringway.node.rpc_hook import with_hooks
from ringway.node.sessions.donor import SessionDonors
from ringway.node.sessions.target import CLIENT_S, COMMIT_S, PREPARE_S, SessionTargets
from ringway.protocol.envelope import Origin
from ringway.server_methods import ServerMethods
from ringway.types import Channel, NodeName
from ringway.version import VERSION


class NodeClients:
    """All parts of a node that serve clients.

    `is_draining` is True if the node accepts no sessions, and `on_sent` is called with the target of each connection
    that is moved away. `make_server` makes the server API for functions that answer calls (RPC).
    """

    def __init__(
        self,
        environment: NodeEnvironment,
        *,
        is_draining: Callable[[], bool],
        on_sent: Callable[[NodeName], None],
        make_server: Callable[[], ServerMethods],
    ) -> None:
        config, engine, stats = environment.config, environment.engine, environment.stats
        clock, wall, rng, signer = environment.clock, environment.wall, environment.rng, environment.signer
        files = plan_files(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
        self.connections_max = min(config.connections_max or UNLIMITED, files.stay)
        self.registry: ConnectionRegistry[Connection] = ConnectionRegistry(clock())
        self.handshakes = PendingHandshakes(config.pending_max, stats, clock, files, lambda: len(self.registry))
        self._environment = environment
        self._is_draining = is_draining
        self._outbox = Outbox(config.outbox_bytes_max, stats)
        self._keepalive = Keepalive(config, rng, stats, clock())
        origin = Origin(environment.keyring, environment.incarnation, environment.wall)
        self.channels = Channels(engine, config, self._outbox, stats, origin, clock)
        self._connections = ConnectionContext(
            config, clock, stats, self.handshakes, self.registry, self._keepalive, self._outbox
        )
        self.hooks = Hooks(config.hooks, clock)
        self._refreshes = HookRefreshes(config, self.hooks, self.channels.namespaces, wall, rng)
        self._expiry = Expiry(config, wall, self._unsubscribe, self._refreshes)
        self.rpc = RpcCalls(with_hooks(environment.rpc, self.hooks), self._outbox, stats, make_server)
        tokens = TokenChecks(environment.verifier, wall, environment.revocations)
        self._single = SingleConnections(engine.bus, wall)
        context = self.context = CommandContext(
            environment.name,
            VERSION,
            config,
            self.channels,
            stats,
            rng,
            self.registry,
            tokens,
            self._expiry,
            self.rpc,
            self.hooks,
            self._single,
            ClientShares(config),
            RecentOrders(_on_way_s(config)),
        )
        self.queues = CommandQueues(context, self._outbox)
        self._handler = ClientHandler(context, self.queues, clock)
        self.orders = UserOrders(context, self.registry, engine.bus, environment.incarnation, clock)
        self.revoked = RevokedClients(context)
        self.exchange = RevocationExchange(
            environment.revocations, engine, environment.incarnation, rng, wall, self.revoked.on_learned,
            answers_all=True,
        )  # fmt: skip
        self.donors = SessionDonors(context, self.queues, engine.bus, signer, environment.incarnation, wall, on_sent)
        self.targets = SessionTargets(
            context,
            self.queues,
            self._handler,
            engine.bus,
            signer,
            clock,
            wall,
            self._session_refusal,
            self.orders,
            self.revoked,
        )
        self.channels.presence.outgoing_sessions.append(self.donors.leaving)
        self.channels.presence.incoming_sessions.append(self.targets.incoming)

    async def start(self) -> None:
        """Begin to carry out orders of backends, and to receive sessions."""
        await self.orders.start()
        await self.targets.start()

    async def stop_calls(self) -> None:
        """Begin no more calls (RPC), and let those under way end in their time."""
        await self.rpc.stop(min(self.rpc.offer.config.timeout_s, self._environment.config.stop_deadline_s))

    async def stop_sessions(self) -> None:
        """Let sessions on their way leave, and receive no more sessions and orders."""
        await self.donors.aclose(self._environment.config.stop_deadline_s)
        await self.targets.stop()
        await self._single.aclose()
        await self.orders.stop()
        await self.exchange.stop()
        await self.revoked.stop()

    async def stop(self) -> None:
        """Carry out the clients' last commands, once all their connections are closed."""
        await self.rpc.aclose()
        await self.queues.aclose()
        await self._refreshes.aclose()
        self.hooks.close()
        await self.channels.stop()

    def tick(self, now: float) -> None:
        """Let time pass; call it several times a second."""
        self.registry.tick(now, self._environment.config.move_cool_down_s)
        self._keepalive.tick(now)
        self.targets.tick(now)
        self.orders.tick(now)
        self._expiry.tick()
        self._outbox.check()
        self.handshakes.tick()
        self.channels.tick()
        self.revoked.tick()

    def connect(self, identity: Identity, nonce: bytes | None) -> Connection:
        """Return the connection of an admitted client; `nonce` is its ticket's, if its session comes from a node."""
        handler = self._handler if nonce is None else self.targets.handler_for(nonce)
        return Connection(self._connections, handler, identity, self._environment.clock())

    def request_check(self, admission: Admission, gateways: GatewayOrigins) -> RequestCheck:
        """Return the check of clients' handshake requests."""
        environment = self._environment
        return RequestCheck(
            environment.config,
            admission,
            gateways,
            environment.signer,
            self.handshakes,
            self.registry,
            environment.stats,
            connections_max=self.connections_max,
            expects_session=self.targets.expects,
            passed_headers=self.hooks.headers,
            clock=environment.clock,
        )

    def _unsubscribe(self, connection: Connection, channel: Channel, code: int, reason: str) -> None:
        unsubscribe(self.context, connection, channel, code, reason)

    def _session_refusal(self, expected: int) -> str:
        """Return why there is no room for a session beside the `expected` sessions; empty if there is room."""
        if self._is_draining():
            return f"the node {self._environment.name} is draining; choose another"
        if len(self.registry) + expected >= self.connections_max:
            return f"the node holds {self.connections_max} connections, its maximum; choose another"
        return ""


def _on_way_s(config: NodeConfig) -> float:
    """Return the longest time that a session may be on its way, in seconds: at its donor, then here."""
    return config.close_deadline_s + config.engine_deadline_s + 2 * PREPARE_S + CLIENT_S + COMMIT_S
