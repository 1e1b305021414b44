"""A gateway's backends for tests, as `app.compose.holding` puts them together, but checked by nobody: they are up."""

import asyncio
import random
import time
from collections.abc import Iterable

from ringway.engine.memory.engine import MemoryHub
from ringway.gateway.backends.expectations import Expectations
from ringway.gateway.backends.held_backend import HoldingParts, HoldingSettings
from ringway.gateway.backends.holding import Holding
from ringway.gateway.backends.moves import BackendMoves
from ringway.gateway.cluster.directory import Directory
from ringway.gateway.config.gateway import GatewayConfig
from ringway.gateway.placement.placer import Place
from ringway.gateway.proxy.relay import Relay
from ringway.gateway.server import Gateway
from ringway.protocol.backend import Backend
from ringway.protocol.report import Report
from ringway.sources.sink import Offer
from ringway.tasks import Tasks
from ringway.types import Incarnation, Issuer, NodeName, Role

REPORT_S = 0.02
"""The pause between two reports: tests need not wait for the second of real ones."""

NAME = NodeName("gateway-1")


class Unchecked:
    """In place of health checks: every backend is up."""

    def __init__(self, directory: Directory) -> None:
        self._view = directory.groups
        self._known: dict[NodeName, Backend] = {}

    def checked(self, name: NodeName) -> Backend | None:
        return self._known.get(name)

    def watch(self, backend: Backend) -> None:
        self._known[backend.name] = backend
        self._view.believe([backend.name])

    def forget(self, name: NodeName) -> None:
        self._known.pop(name, None)


class HeldBackends:
    """The backends of one gateway. Make the gateway with `expectations.take_promise`, then `attach` it."""

    def __init__(self, config: GatewayConfig, directory: Directory, rng: random.Random, name: NodeName = NAME) -> None:
        self._config = config
        self._directory = directory
        self._rng = rng
        self._name = name
        self.hub = MemoryHub()  # where other gateways may hear this one; `gateways` says how many there are
        self.gateways = 1
        self._bus = self.hub.open().bus
        self.expectations = Expectations(
            name,
            Incarnation(directory.issuer),
            self._bus,
            b"",
            lambda: self.gateways,
            lambda client: self.holding.on_promise_over(client),
            lambda ids: self.holding.on_shown(ids),
        )
        self._seq = 0
        self._tasks = Tasks()

    def attach(self, gateway: Gateway) -> None:
        config, directory = self._config, self._directory
        moves = self.moves = BackendMoves(
            gateway.relays,
            directory.groups,
            self.expectations,
            lambda: self.holding,
            config.leave_deadline_s,
            gateway.exchanges,
        )
        settings = HoldingSettings(config.move_cool_down_s, config.idle_after_s, config.move_first == "oldest")
        parts = HoldingParts(
            self._name, Issuer(directory.issuer), moves, settings, self._bus, directory.feed, b"", time.monotonic,
            self._rng,
        )  # fmt: skip
        self.holding = Holding(parts, directory.held, directory.groups, Unchecked(directory))
        directory.listen(self.holding.on_event)
        gateway.relays.on_arrival.append(self._on_arrival)
        gateway.sessions.on_begun.append(lambda node: self.holding.on_arrival(node, held=True))

    def offer(self, backends: Iterable[Backend]) -> None:
        self.holding.book.update("test", {backend.name: Offer(backend) for backend in backends})
        self.report()

    def report(self) -> None:
        """Report as the gateway would."""
        self._seq += 1
        self._directory.feed.add_report(
            Report(
                name=self._name, incarnation=Incarnation(self._directory.issuer), role=Role.GATEWAY, seq=self._seq,
                url="http://g", backends=self.holding.claims(), held=self.holding.shares(),
            )
        )  # fmt: skip

    def start(self) -> None:
        self._tasks.spawn(self._run(), name="reports of held backends")

    async def stop(self) -> None:
        await self._tasks.aclose()
        await self.holding.stop()
        await self.moves.stop()

    async def _run(self) -> None:
        while True:
            self.report()
            self.holding.tick()
            await asyncio.sleep(REPORT_S)

    def _on_arrival(self, relay: Relay, place: Place) -> None:
        if place.promised is not None:
            relay.came_at = time.monotonic()
        self.holding.on_arrival(place.node, held=place.held, promised=place.promised)
