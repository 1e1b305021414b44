"""Gateway: one public port for discovery, health, and WebSockets that are carried to nodes."""

import asyncio
import itertools
import resource
import time
from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from ringway.core.files import UNLIMITED, plan_files
from ringway.core.steering import Steering
from ringway.errors import ConfigError
from ringway.gateway.cluster.directory import Directory
from ringway.gateway.cluster.probe import Probes
from ringway.gateway.config.gateway import GatewayConfig
from ringway.gateway.http.connection import HttpConnection
from ringway.gateway.http.connections import HttpConnections
from ringway.gateway.http.router import Router
from ringway.gateway.http.static import StaticFiles
from ringway.gateway.placement.address_limits import AddressLimits
from ringway.gateway.placement.affinity import Affinity
from ringway.gateway.placement.discovery import Discovery
from ringway.gateway.placement.placer import Placer
from ringway.gateway.proxy.addresses import NodeAddresses
from ringway.gateway.proxy.opener import Opener
from ringway.gateway.proxy.relays import Relays
from ringway.gateway.stats import GatewayStats
from ringway.logger import get_logger
from ringway.net.lingering_close import LingeringCloses
from ringway.net.listening import Listening, listen
from ringway.net.liveness import watch_peers_of
from ringway.net.unsent import bound_unsent
from ringway.protocol.forwarded import read_networks
from ringway.protocol.ticket import TicketSigner
from ringway.tasks import Tasks, leave_to_waiter
from ringway.types import NodeName

if TYPE_CHECKING:
    from random import Random

SWEEP_S = 0.25
"""How often overdue connections are closed; they are closed at most this much late."""

TALLY_SWEEPS = 8
"""Every how many sweeps the byte counters of open relays are read: often enough for a scrape every few seconds."""

_log = get_logger()


class Gateway:
    """A gateway over `directory`, which its owner feeds from an engine, or by `HealthChecks` of static backends.

    `signer` issues the tickets; None for static backends, which know none. `clock` is monotonic, `wall` is Unix time.
    `reopen` names the static backends whose WebSockets go on elsewhere when they are lost. `hosts` has the Host for
    backends that are not asked for the host that the client named.
    """

    def __init__(
        self,
        config: GatewayConfig,
        directory: Directory,
        steering: Steering,
        signer: TicketSigner | None,
        rng: "Random",
        stats: GatewayStats | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        reopen: Collection[NodeName] = (),
        hosts: Mapping[NodeName, str] = MappingProxyType({}),
    ) -> None:
        self.stats = stats or GatewayStats()
        self._config = config
        files = plan_files(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
        relays_max = min(config.relays_max or UNLIMITED, max(1, files.stay // 2))
        limits = AddressLimits(config, read_networks(config.trusted_proxies), self.stats, clock)
        lingering = LingeringCloses(config.linger_s)
        placer = Placer(directory.view, steering, signer, self.stats, clock, rng, wall, config, limits)
        affinity = Affinity(steering, read_networks(config.trusted_proxies))
        addresses = NodeAddresses(config)
        opener = Opener(placer, addresses, self.stats, reopen, hosts)
        self.relays = Relays(config, placer, affinity, opener, self.stats, relays_max, rng, limits, lingering)
        discovery = Discovery(placer, affinity, config.allowed_origins)
        static = StaticFiles(config.pages)
        self._router = Router(config, directory, discovery, self.relays, static, self.stats)
        self._connections = HttpConnections(config, self.relays, self.stats, clock, limits, files, lingering)
        directory.listen(self.relays.on_event)
        self._probes: Probes | None = None
        if signer is not None:  # static backends are checked already
            probe = addresses.probe
            self._probes = Probes(directory.view, steering, probe, self.stats, rng, clock, config.probe_interval_s)
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

    async def start(self) -> None:
        """Listen. Raise `ConfigError` if the address is not available."""
        host, port = self._config.host, self._config.port
        try:
            self._server = await listen(
                lambda: HttpConnection(self._router, self._connections),
                host,
                port,
                self._config.backlog,
                lambda sock: bound_unsent(sock, self._config.unsent_bytes_max),
            )
        except OSError as error:
            raise ConfigError(
                f"the gateway cannot listen on {host}:{port} ({error.strerror or error}); "
                "stop what does, or choose another with --port"
            ) from error
        self._router.on_listening(sock.getsockname()[0] for sock in self._server.sockets)
        watch_peers_of(self._server.sockets, self._config.tcp_keepalive_s)
        self._tasks.spawn(self._sweep(), name="gateway sweeper")
        if self._probes is not None:
            self._tasks.spawn(self._probes.run(), name="gateway probes")
        _log.info("gateway listens", host=host, port=self.port)

    async def stop(self) -> None:
        """Accept no more connections, close proxied clients with 1012, and return when all are gone or overdue."""
        if self._server is None or not self._tasks:
            return
        self._server.close()
        await self._tasks.aclose()
        self._connections.abort()
        await self.relays.stop()
        _log.info("gateway stopped")

    async def _sweep(self) -> None:
        for turn in itertools.count():
            await asyncio.sleep(SWEEP_S)
            self._connections.sweep()
            if turn % TALLY_SWEEPS == 0:
                self.relays.tally()
