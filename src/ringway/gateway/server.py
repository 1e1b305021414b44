"""The gateway: one public port for discovery, health, and WebSockets that are carried to nodes."""

import asyncio
import itertools
import resource
import time
from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

import structlog

from ringway.core.files import UNLIMITED, plan_files
from ringway.core.steering import Steering
from ringway.errors import ConfigError
from ringway.gateway.cluster.directory import Directory
from ringway.gateway.cluster.probe import Probes
from ringway.gateway.config.gateway import GatewayConfig
from ringway.gateway.http.address_limits import AddressLimits
from ringway.gateway.http.connection import Visitor
from ringway.gateway.http.router import Door
from ringway.gateway.http.static import Pages
from ringway.gateway.placement.affinity import Affinity
from ringway.gateway.placement.discovery import Discovery
from ringway.gateway.placement.placer import Placer
from ringway.gateway.proxy.addresses import Reach
from ringway.gateway.proxy.opener import Opener
from ringway.gateway.proxy.relays import Relays
from ringway.gateway.stats import Stats
from ringway.net.lingering_close import LingeringCloses
from ringway.net.listening import Listening, listen
from ringway.net.liveness import watch_peers_of
from ringway.net.unsent import bound_unsent
from ringway.protocol.forwarded import read_networks
from ringway.protocol.host import is_loopback
from ringway.protocol.ticket import TicketSigner
from ringway.types import NodeName

if TYPE_CHECKING:
    from random import Random

SWEEP_S = 0.25
"""How often overdue heads are looked for; they are closed at most this much late."""

TALLY_SWEEPS = 8
"""Every how many sweeps the byte counters of open relays are read: often enough for a scrape every few seconds."""

_log = structlog.get_logger()


class Gateway:
    """A gateway over `directory`, which its owner feeds: `Directory.join` an engine, or `Checks` of backends.

    `signer` issues the tickets; None for static backends, which take none. `clock` is monotonic, `wall` is Unix time.
    `reopen` names the static backends whose WebSockets go on elsewhere when they are lost, `hosts` what some are asked
    for in place of the host that the client named.
    """

    def __init__(
        self,
        config: GatewayConfig,
        directory: Directory,
        steering: Steering,
        signer: TicketSigner | None,
        rng: "Random",
        stats: Stats | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        reopen: Collection[NodeName] = (),
        hosts: Mapping[NodeName, str] = MappingProxyType({}),
    ) -> None:
        self.stats = stats or Stats()
        self._config = config
        files = plan_files(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
        relays_max = min(config.relays_max or UNLIMITED, max(1, files.stay // 2))
        trusted = read_networks(config.trusted_proxies)
        limits = AddressLimits(config, trusted, self.stats, clock)
        lingering = LingeringCloses(config.linger_s)
        placer = Placer(directory.view, steering, signer, self.stats, clock, rng, wall, config, limits)
        affinity = Affinity(steering, trusted)
        reach = Reach(config)
        opener = Opener(placer, reach, self.stats, reopen, hosts)
        self._relays = Relays(config, placer, affinity, opener, self.stats, relays_max, rng, limits, lingering)
        discovery = Discovery(placer, affinity, config.allowed_origins)
        pages = Pages(config.pages)
        self._door = Door(
            config, directory, discovery, self._relays, pages, self.stats, clock, limits, files, lingering
        )
        directory.listen(self._relays.on_event)
        probes = Probes(directory.view, steering, reach, self.stats, rng, clock, config.probe_interval_s)
        self._probes = probes if signer is not None else None
        self._server: Listening | None = None
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def port(self) -> int:
        """The port that is listened on, after `start`."""
        assert self._server is not None
        return self._server.port

    @property
    def tasks(self) -> tuple[asyncio.Task[None], ...]:
        """What must not end while this runs; the owner of the process watches over it."""
        return tuple(self._tasks)

    async def start(self) -> None:
        """Listen. Raise `ConfigError` where the address cannot be had."""
        host, port = self._config.host, self._config.port
        try:
            self._server = await listen(
                lambda: Visitor(self._door),
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
        self._door.on_loopback = all(is_loopback(sock.getsockname()[0]) for sock in self._server.sockets)
        watch_peers_of(self._server.sockets, self._config.tcp_keepalive_s)
        self._tasks.append(asyncio.create_task(self._sweep(), name="gateway sweeper"))
        if self._probes is not None:
            self._tasks.append(asyncio.create_task(self._probes.run(), name="gateway probes"))
        _log.info("gateway listens", host=host, port=self.port)

    async def stop(self) -> None:
        """Take no more connections, tell proxied clients 1012, and return when all are gone or overdue."""
        if self._server is None or not self._tasks:
            return
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._door.close()
        await self._relays.stop()
        self._tasks.clear()
        _log.info("gateway stopped")

    async def _sweep(self) -> None:
        for turn in itertools.count():
            await asyncio.sleep(SWEEP_S)
            self._door.sweep()
            if turn % TALLY_SWEEPS == 0:
                self._relays.tally()
