"""The backends of a gateway, put together: its share of each, their checks, the clients that are expected, and the keys
of tokens that its routes ask for."""

import asyncio
import time
from collections.abc import Iterable
from random import Random

from ringway.admin.metric import Source
from ringway.app.backend_metric import read_registrations, read_sources
from ringway.app.backend_sources import open_sources
from ringway.app.compose.registration_port import open_registration, serve_registration
from ringway.app.config import Config
from ringway.app.engine import read_hash_secret
from ringway.app.secret_watch import SecretWatch
from ringway.app.shutdown import Job
from ringway.app.tls_watch import TlsWatch
from ringway.app.token_watch import TokenWatch, reread_on_hangup
from ringway.core.group import why_none_of
from ringway.core.load import NodeLoad
from ringway.core.membership import TICK_S
from ringway.core.revocations import Revocations
from ringway.core.rival import Rivals
from ringway.core.route_spec import read_routes
from ringway.gateway.backends.expectations import Expectations
from ringway.gateway.backends.health import HealthChecks
from ringway.gateway.backends.held_backend import HoldingParts, HoldingSettings
from ringway.gateway.backends.holding import Holding
from ringway.gateway.backends.moves import BackendMoves
from ringway.gateway.cluster.directory import Directory
from ringway.gateway.placement.placer import Place
from ringway.gateway.proxy.relay import Relay
from ringway.gateway.server import Gateway
from ringway.member.revocation_exchange import RevocationExchange
from ringway.net.tls.server import PortTls
from ringway.ports import Engine
from ringway.protocol.expected import ExpectedClient
from ringway.protocol.ticket import TicketSigner
from ringway.sources.registration.server import RegistrationServer
from ringway.sources.registration.stats import RegistrationStats
from ringway.types import Incarnation, Issuer, NodeName


class GatewayBackends:
    """The backends of the gateway `name`. Call `make_gateway`, then `start`.

    `make_gateway` raises `ConfigError` with every problem of the backends in the settings.
    """

    def __init__(
        self,
        config: Config,
        name: NodeName,
        incarnation: Incarnation,
        directory: Directory,
        engine: Engine,
        rng: Random,
    ) -> None:
        ring_secret = read_hash_secret(config.engine)
        self._config = config
        self._name = name
        self._directory = directory
        bus = self._bus = engine.bus
        self._engine = engine
        self._incarnation = incarnation
        self._ring_secret = ring_secret
        self._rng = rng
        self.expectations = Expectations(
            name,
            incarnation,
            bus,
            ring_secret,
            lambda: directory.groups.gateways,
            self._on_promise_over,
            self._on_shown,
        )
        self._issuer = Issuer(incarnation)
        self._tokens = TokenWatch(config, rng, wanted=any(route.auth for route in read_routes(config.gateway.routes)))
        self._revocations = Revocations(config.token.revocations_max)
        self.registration_stats = RegistrationStats()
        self._registration: RegistrationServer | None = None

    def make_gateway(self, signer: TicketSigner) -> Gateway:
        """Return the gateway, whose connections at backends are held from then on."""
        config, groups = self._config.gateway, self._directory.groups
        gateway = Gateway(
            config, self._directory, signer, self._rng, take_promise=self.expectations.take_promise,
            has_backends=self._config.static.has_backends, verifier=self._tokens.verifier,
            revocations=self._revocations,
        )  # fmt: skip
        self._exchange = RevocationExchange(
            self._revocations, self._engine, self._incarnation, self._rng, time.time,
            gateway.relays.relay_tokens.on_learned, answers_all=False,
        )  # fmt: skip
        moves = self._moves = BackendMoves(
            gateway.relays, groups, self.expectations, lambda: self.holding, config.leave_deadline_s, gateway.exchanges
        )
        self.checks = HealthChecks(config, groups, gateway.relays.on_down, self._rng, routes=read_routes(config.routes))
        settings = HoldingSettings(
            config.move_cool_down_s, config.idle_after_s, config.move_first == "oldest", bool(config.routes)
        )
        parts = HoldingParts(
            self._name, self._issuer, moves, settings, self._bus, self._directory.feed, self._ring_secret,
            time.monotonic, self._rng,
        )  # fmt: skip
        self.holding = Holding(parts, self._directory.held, groups, self.checks, self.expectations.tell_shown)
        self._directory.listen(self.holding.on_event, of_nodes=False)
        self._why_unreached = gateway.why_unreached
        self._gateway = gateway
        gateway.relays.on_arrival.append(self._on_arrival)
        gateway.sessions.on_begun.append(self._on_session)
        self.sources = open_sources(self._config, self.holding.book, self._rng)
        return gateway

    def _on_session(self, node: NodeLoad) -> None:
        """Count a session of plain HTTP that has begun at `node`."""
        self.holding.on_arrival(node, held=True)

    async def start(self) -> None:
        """Learn which tokens are revoked, receive the clients that other gateways expect, and follow the sources.

        Binds the registration port; raise `ConfigError` if that fails.
        """
        self._registration = open_registration(self._config.registration)
        if self._tokens.verifier is not None:
            await self._exchange.start()
        await self.expectations.start()
        await self._gateway.sessions.start(self._bus)
        await self.sources.start()

    def metrics(self) -> list[Source]:
        """Return the sources of metrics about the sources of backends."""
        stats = self.registration_stats if self._registration is not None else None
        return [read_sources(self.holding.book), *read_registrations(stats)]

    def why_none(self) -> str:
        """Return why no node is eligible, with the problems of sources of backends; empty if a node is eligible."""
        reason = why_none_of(self._directory.groups)
        return "; ".join([reason, *self.holding.book.problems.values()]) if reason else ""

    @property
    def registration_tls(self) -> PortTls | None:
        """The TLS of the registration port; None without."""
        return self._registration.tls if self._registration is not None else None

    def reread(self, secrets: SecretWatch, certificates: TlsWatch) -> None:
        """On SIGHUP, have sources, keys of tokens, `certificates` and `secrets` read again; `secrets` logs it if
        nothing is read."""
        others = self._tokens, certificates
        if secrets.in_files or any(other.in_files for other in others) or not self.sources.reads_again:
            reread_on_hangup(secrets, *others)
        self.sources.on_hangup()

    def jobs(self) -> list[Job]:
        """Return the jobs that run until `stop`."""
        jobs = [Job("backends", self._run()), Job("keys of tokens", self._tokens.run())]
        if self._registration is not None:
            config, book, groups = self._config.registration, self.holding.book, self._directory.groups
            held, me = self._directory.held, self._name
            rivals = Rivals(book.claim, lambda name: held.claims_of_others(name, me))
            stats = self.registration_stats
            jobs += serve_registration(
                self._registration, config, book, groups, self._bus, stats, rivals, self._why_unreached
            )
        return jobs

    async def close_registration(self) -> None:
        """Close the registration port, if there is one: backends go to other gateways."""
        if self._registration is not None:
            await self._registration.close()

    async def _run(self) -> None:
        """Let time pass, until cancelled."""
        while True:
            await asyncio.sleep(TICK_S)
            self.holding.tick()
            self.expectations.tick()

    async def stop(self) -> None:
        """Follow no source, carry out no more orders, and check no more."""
        await self.sources.stop()
        await self.checks.stop()
        await self.holding.stop()
        await self._moves.stop()
        await self.expectations.stop()
        await self._gateway.sessions.stop()
        await self._exchange.stop()

    def _on_arrival(self, relay: Relay, place: Place) -> None:
        if place.promised is not None:
            relay.came_at = time.monotonic()
            self.holding.on_outcome(place.node.name, "reconnected")
        self.holding.on_arrival(place.node, held=place.held, promised=place.promised)

    def _on_promise_over(self, client: ExpectedClient) -> None:
        self.holding.on_promise_over(client)

    def _on_shown(self, ids: Iterable[str]) -> None:
        self.holding.on_shown(ids)
