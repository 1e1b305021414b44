"""Clients of a node: their connections, channels, commands and sessions, put together."""

import resource
from collections.abc import Callable
from importlib.metadata import version
from random import Random

from ringway.core.files import UNLIMITED, plan_files
from ringway.node.channels.channels import Channels
from ringway.node.commands.context import CommandContext
from ringway.node.commands.handler import ClientHandler
from ringway.node.commands.queues import CommandQueues
from ringway.node.config.node import NodeConfig
from ringway.node.connection.connection import Connection, ConnectionContext
from ringway.node.connection.handler import Identity
from ringway.node.connection.keepalive import Keepalive
from ringway.node.connection.listener import Gate
from ringway.node.connection.outbox import Outbox
from ringway.node.connection.registry import ConnectionRegistry
from ringway.node.sessions.donor import SessionDonors
from ringway.node.sessions.target import SessionTargets
from ringway.node.stats import NodeStats
from ringway.ports import Engine
from ringway.protocol.envelope import Origin
from ringway.protocol.ticket import TicketSigner
from ringway.types import Incarnation, NodeName


class NodeClients:
    """Everything in a node that serves clients. `clock` is monotonic and `wall` Unix time, in seconds.

    `is_draining` says whether the node takes no sessions, `nodes_alive` counts nodes, this node included, and `on_sent`
    is called with the target of each connection that is sent to another node.
    """

    def __init__(
        self,
        config: NodeConfig,
        name: NodeName,
        incarnation: Incarnation,
        engine: Engine,
        signer: TicketSigner,
        stats: NodeStats,
        rng: Random,
        clock: Callable[[], float],
        wall: Callable[[], float],
        *,
        is_draining: Callable[[], bool],
        nodes_alive: Callable[[], int],
        on_sent: Callable[[NodeName], None],
    ) -> None:
        files = plan_files(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
        self.connections_max = min(config.connections_max or UNLIMITED, files.stay)
        self.version = version("ringway")
        self.registry: ConnectionRegistry[Connection] = ConnectionRegistry(clock())
        self.gate = Gate(config.pending_max, stats, clock, files, lambda: len(self.registry))
        self._name = name
        self._config = config
        self._clock = clock
        self._is_draining = is_draining
        self._outbox = Outbox(config.outbox_bytes_max, stats)
        self._keepalive = Keepalive(config, rng, stats, clock())
        self.channels = Channels(engine, config, self._outbox, stats, Origin(incarnation), nodes_alive, clock)
        self._connections = ConnectionContext(
            config, clock, stats, self.gate, self.registry, self._keepalive, self._outbox
        )
        context = CommandContext(name, self.version, config, self.channels, stats, rng)
        self.queues = CommandQueues(context, self._outbox)
        self._handler = ClientHandler(context, self.queues, clock)
        self.donors = SessionDonors(context, self.queues, engine.bus, signer, incarnation, wall, on_sent)
        self.targets = SessionTargets(
            context, self.queues, self._handler, engine.bus, signer, clock, wall, self._session_refusal
        )
        self.channels.presence.outgoing_sessions.append(self.donors.leaving)
        self.channels.presence.incoming_sessions.append(self.targets.incoming)

    async def start(self) -> None:
        """Begin to receive sessions."""
        await self.targets.start()

    async def stop_sessions(self) -> None:
        """Let the sessions leave that are on their way, and receive no more."""
        await self.donors.aclose(self._config.stop_deadline_s)
        await self.targets.stop()

    async def stop(self) -> None:
        """Carry out what the clients had sent, once all their connections are closed."""
        await self.queues.aclose()
        await self.channels.stop()

    def tick(self, now: float) -> None:
        """Let time pass; call it several times a second."""
        self.registry.tick(now, self._config.move_cool_down_s)
        self._keepalive.tick(now)
        self.targets.tick(now)
        self._outbox.check()
        self.gate.tick()
        self.channels.tick()

    def connect(self, identity: Identity, nonce: bytes | None) -> Connection:
        """Return the connection of an admitted client; `nonce` is its ticket's, if its session comes from a node."""
        handler = self._handler if nonce is None else self.targets.handler_for(nonce)
        return Connection(self._connections, handler, identity, self._clock())

    def _session_refusal(self, expected: int) -> str:
        """Return why there is no room for a session beside those `expected`; empty if there is."""
        if self._is_draining():
            return f"the node {self._name} is draining; choose another"
        if len(self.registry) + expected >= self.connections_max:
            return f"the node holds {self.connections_max} connections, its maximum; choose another"
        return ""
