"""Backends that are checked as a gateway checks them, and nothing else of a gateway."""

import random

from ringway.core.backend_spec import read_backends
from ringway.gateway.backends.health import HealthChecks
from ringway.gateway.cluster.directory import Directory
from ringway.gateway.config.gateway import GatewayConfig
from ringway.protocol.backend_share import BackendClaim
from ringway.protocol.report import Report
from ringway.types import Incarnation, Issuer, NodeName, Role


class Checked:
    """A directory whose backends are checked."""

    def __init__(self, *specs: str, **settings: object) -> None:
        config = GatewayConfig(health_interval_s=0.05, health_timeout_s=0.3, **settings)  # type: ignore[arg-type]
        self.directory = Directory(Issuer("0badcafe"))
        self.directory.groups.knocks = True
        self.checks = HealthChecks(config, self.directory.groups, lambda name: None, random.Random(1))
        self._backends = read_backends(specs)

    @property
    def up(self) -> list[str]:
        return [node.name for node in self.directory.groups.eligible]

    async def __aenter__(self) -> "Checked":
        claims = {backend.name: BackendClaim(backend=backend, since=0.0) for backend in self._backends}
        self.directory.feed.add_report(
            Report(
                name=NodeName("g"), incarnation=Incarnation("0badcafe"), role=Role.GATEWAY, seq=1, url="http://g",
                backends=claims,
            )
        )  # fmt: skip
        for backend in self._backends:
            self.checks.watch(backend)
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.checks.stop()
