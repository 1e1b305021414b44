"""Gateway: one public port for discovery, health, and WebSockets that are carried to nodes."""

import asyncio
import itertools
import resource
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from ringway.auth.verifier import TokenVerifier
from ringway.core.files import UNLIMITED, FileBudget, plan_files
from ringway.core.group import Group
from ringway.core.revocations import Revocations
from ringway.core.route_spec import check_has_keys, read_routes
from ringway.errors import ConfigError
from ringway.gateway.cluster.directory import Directory
from ringway.gateway.cluster.probe import Probes
from ringway.gateway.config.gateway import GatewayConfig
from ringway.gateway.exchange.exchanges import Exchanges
from ringway.gateway.exchange.pool import ConnectionPool
from ringway.gateway.http.connection import HttpConnection
from ringway.gateway.http.connections import HttpConnections
from ringway.gateway.http.front import FrontConnection
from ringway.gateway.http.router import Router
from ringway.gateway.http.static import StaticFiles
from ringway.gateway.placement.address_limits import AddressLimits
from ringway.gateway.placement.affinity import DISCOVERY_PATH, Affinity
from ringway.gateway.placement.discovery import Discovery
from ringway.gateway.placement.placer import Placer, TakePromise, promise_nothing
from ringway.gateway.placement.placers import Placers
from ringway.gateway.placement.routing import Routing
from ringway.gateway.placement.token_check import TokenCheck
from ringway.gateway.placement.unreached_groups import UnreachedGroups
from ringway.gateway.proxy.addresses import NodeAddresses
from ringway.gateway.proxy.node_trust import NodeTrust
from ringway.gateway.proxy.opener import Opener
from ringway.gateway.proxy.relay_tokens import RelayTokens
from ringway.gateway.proxy.relays import Relays
from ringway.gateway.stats import GatewayStats
from ringway.gateway.sticky.sessions import Sessions
from ringway.logger import get_logger
from ringway.net.lingering_close import LingeringCloses
from ringway.net.listening import Listening
from ringway.net.liveness import watch_peers_of
from ringway.net.tls.listening import listen_for
from ringway.net.tls.server import PortTls
from ringway.net.unsent import bound_unsent
from ringway.protocol.forwarded import read_networks
from ringway.protocol.proxy_header import Source
from ringway.protocol.ticket import TicketSigner
from ringway.tasks import Tasks, leave_to_waiter

if TYPE_CHECKING:
    from random import Random

SWEEP_S = 0.25
"""The period of closing overdue connections, which are late by at most this time."""

FOLLOW_S = 0.1
"""The period of checks for a change of the table of key owners."""

TALLY_SWEEPS = 8
"""Sweeps between two readings of the relays' byte counters: often enough for a scrape every few seconds."""

_log = get_logger()


class Carriage(NamedTuple):
    """What a gateway carries to nodes and backends."""

    relays: Relays
    exchanges: Exchanges

    @property
    def files(self) -> int:
        """The present and expected descriptors."""
        return self.relays.files + self.exchanges.files


class Gateway:
    """A gateway over `directory`, which its owner fills from an engine.

    `signer` issues the tickets. `clock` is monotonic, `wall` Unix time. `take_promise` returns the promise to an
    expected client (`gateway.backends.expectations`). `has_backends`: there are sources of backends, which may be
    empty. `verifier` checks the tokens of routes with `auth=jwt`; raise `ConfigError` if there are such routes without
    it. `revocations` are the tokens that are refused, though they are good.
    """

    def __init__(
        self,
        config: GatewayConfig,
        directory: Directory,
        signer: TicketSigner,
        rng: "Random",
        stats: GatewayStats | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        take_promise: TakePromise = promise_nothing,
        *,
        has_backends: bool = False,
        verifier: TokenVerifier | None = None,
        revocations: Revocations | None = None,
    ) -> None:
        self.stats = stats or GatewayStats()
        self._config = config
        self.tls = PortTls(config, "gateway", wall) if config.tls_cert else None
        files = plan_files(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
        routes = read_routes(config.routes)
        has_http = any(route.http for route in routes)
        requests_max, relays_max = _plan_room(config, files, has_http=has_http)
        limits = AddressLimits(config, read_networks(config.trusted_proxies), self.stats, clock)
        lingering = LingeringCloses(config.linger_s)
        groups = directory.groups

        def make_placer(group: Group) -> Placer:
            return Placer(
                group.view, group.steering, signer, self.stats, clock, rng, wall, config, limits, take_promise,
                group.name,
            )  # fmt: skip

        placers = Placers(groups, make_placer, clock)
        check_has_keys(routes, has_keys=verifier is not None)
        routing = self._routing = Routing(routes, groups, has_backends=has_backends)
        self._unreached = UnreachedGroups(routing)
        affinity = Affinity(read_networks(config.trusted_proxies), config.own_paths_prefix + DISCOVERY_PATH)
        revoked = revocations if revocations is not None else Revocations()
        tokens = self._tokens = TokenCheck(config, affinity, verifier, self.stats, clock, wall, revoked)
        addresses = NodeAddresses(config)
        self._trust = NodeTrust(config, directory, signer.keyring, addresses, self.stats, rng, clock)
        opener = Opener(placers, addresses, self.stats, directory.held.backend, self._trust.failures)
        watched = RelayTokens(revoked, wall)
        self.sessions = Sessions(groups, signer.keyring, self.stats, config.http_sessions_max, clock)
        self.relays = Relays(
            config, placers, routing, affinity, opener, self.stats, relays_max, rng, limits, lingering, tokens,
            watched, self.sessions,
        )  # fmt: skip
        discovery = Discovery(placers, routing, affinity, config.allowed_origins, config.public_url, tokens=tokens)
        static = StaticFiles(config.pages)
        self.exchanges = Exchanges(
            config, placers, routing, affinity, opener, ConnectionPool(config, addresses, self.stats, clock),
            self.stats, limits, tokens, watched, self.sessions, requests_max,
        )  # fmt: skip
        self._has_http = has_http
        self._router = Router(config, directory, discovery, self.relays, static, self.stats)
        carriage = Carriage(self.relays, self.exchanges)
        self._connections = HttpConnections(config, carriage, self.stats, clock, limits, files, lingering)
        directory.listen(self.relays.on_event, reports=False)
        self._prepare = placers.prepare
        probe = addresses.probe
        self._probes = Probes(groups, probe, self.stats, rng, clock, config.probe_interval_s)
        self._server: Listening | None = None
        self._tasks = Tasks(leave_to_waiter)

    @property
    def port(self) -> int:
        """The port of the gateway, after `start`."""
        assert self._server is not None
        return self._server.port

    @property
    def tasks(self) -> tuple[asyncio.Task[None], ...]:
        """Tasks that must not end while this runs; the owner of the process awaits them."""
        return tuple(self._tasks)

    def group_at(self, host: str, path: str) -> str:
        """Return the group to which `host` and `path` lead; raise `UpgradeError` 404 if there is no route."""
        return self._routing.find_asked(host, path).group

    def why_unreached(self, group: str) -> str:
        """Return why the members of `group` get no clients here, with the remedy; empty if a route leads there."""
        return self._routing.why_unreached(group)

    async def start(self) -> None:
        """Listen. Raise `ConfigError` if the address is not available."""
        host, port = self._config.host, self._config.port
        try:
            self._server = await listen_for(
                self.tls,
                self._make_connection,
                host,
                port,
                self._config.backlog,
                lambda sock: bound_unsent(sock, self._config.unsent_bytes_max),
                room=self._connections.arrivals_max,
                trusted=read_networks(self._config.trusted_proxies),
                proxy_bytes_max=self._config.head_bytes_max if self._config.proxy_protocol else 0,
            )
        except OSError as error:
            raise ConfigError(
                f"the gateway cannot listen on {host}:{port} ({error.strerror or error}); "
                "stop what does, or choose another with --port"
            ) from error
        self._router.on_listening(sock.getsockname()[0] for sock in self._server.sockets)
        watch_peers_of(self._server.sockets, self._config.tcp_keepalive_s)
        self._tasks.spawn(self._sweep(), name="gateway sweeper")
        self._tasks.spawn(self._follow_members(), name="gateway key owners")
        self._tasks.spawn(self._probes.run(), name="gateway probes")
        self._trust.start(self._tasks)
        if self._config.insecure_upstream_tls_unverified:
            _log.warning(
                "INSECURE: every certificate of nodes and backends is accepted, also a forged one",
                remedy="leave insecure_upstream_tls_unverified out, and name the authorities by upstream_tls_ca",
            )
        _log.info("gateway listens", host=host, port=self.port)

    async def stop(self) -> None:
        """Stop accepting connections, close proxied clients with 1012, and return when all are gone or overdue."""
        if self._server is None or not self._tasks:
            return
        self._server.close()
        await self._tasks.aclose()
        self._connections.abort()
        self._trust.stop()
        await self._tokens.stop()
        await asyncio.gather(self.relays.stop(), self.exchanges.stop())
        _log.info("gateway stopped")

    def _make_connection(self, source: Source | None) -> asyncio.Protocol:
        """Return what speaks HTTP on a new connection: one that takes bodies only if a route carries them.

        `source` is that of a connection with TLS.
        """
        if self._has_http:
            return FrontConnection(self._router, self._connections, self.exchanges, source)
        return HttpConnection(self._router, self._connections, source)

    async def _sweep(self) -> None:
        for turn in itertools.count():
            await asyncio.sleep(SWEEP_S)
            self._connections.sweep()
            self.exchanges.sweep()
            self._trust.tick()
            self.relays.relay_tokens.tick()
            if turn % TALLY_SWEEPS == 0:
                self.relays.tally()
                self._unreached.tick()

    async def _follow_members(self) -> None:
        while True:
            await self._prepare()
            await asyncio.sleep(FOLLOW_S)


def _plan_room(config: GatewayConfig, files: FileBudget, *, has_http: bool) -> tuple[int, int]:
    """Return how many plain requests and how many WebSockets may be carried at one time; each has two descriptors."""
    requests_max = min(config.http_requests_max, max(1, files.stay // 4)) if has_http else 0
    return requests_max, min(config.relays_max or UNLIMITED, max(1, (files.stay - 2 * requests_max) // 2))
