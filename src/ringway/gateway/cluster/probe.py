"""Probes of nodes, which measure answer times if no recent handshake did; for the policy by response time.

A gateway that only serves discovery opens no WebSockets itself, and a node that was slow once gets no clients by which
its time would be measured again. So each node gets a plain HTTP request on its own port, which it refuses at once. That
is less work than a handshake. It shows a node that hangs or is far away; the cost of a handshake is measured by
handshakes (gateway/proxy/opener.py).

Backends are not probed: their health checks are timed (gateway/backends/health.py).
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from ringway.core.group import Group, Groups
from ringway.core.load import NodeLoad
from ringway.errors import UpgradeError
from ringway.gateway.stats import GatewayStats

if TYPE_CHECKING:
    from random import Random

PROBES_MAX = 16
"""Probes under way at one time; the other probes of a round wait for their turn."""

POLICY = "least-response-time"

AskNode = Callable[[NodeLoad], Awaitable[None]]
"""Returns when the node has sent any answer; raises `UpgradeError` if it does not answer."""


class Probes:
    """Probes every node that was not measured within `interval_s`. `clock` is monotonic."""

    def __init__(
        self,
        groups: Groups,
        ask_node: AskNode,
        stats: GatewayStats,
        rng: "Random",
        clock: Callable[[], float],
        interval_s: float,
    ) -> None:
        self._groups = groups
        self._ask_node = ask_node
        self._stats = stats
        self._rng = rng
        self._clock = clock
        self._interval_s = interval_s

    async def run(self) -> None:
        """Probe until cancelled, while the policy in force needs it."""
        while True:
            for group in self._groups:
                if group.steering.policy.name == POLICY:
                    await self.round(group)
            await asyncio.sleep(self._interval_s * self._rng.uniform(0.8, 1.2))

    async def round(self, members: Group) -> None:
        """Probe each node of a group once that was not measured recently."""
        now = self._clock()
        turns = asyncio.Semaphore(PROBES_MAX)
        async with asyncio.TaskGroup() as group:
            for node in members.view.eligible:
                if node.response.age_s(now) >= self._interval_s and not node.is_backend:
                    group.create_task(self._probe(node, turns))

    async def _probe(self, node: NodeLoad, turns: asyncio.Semaphore) -> None:
        async with turns:
            begun = self._clock()
            try:
                await self._ask_node(node)
            except UpgradeError:
                self._stats.probes["failed"] += 1
                node.response.failed(self._clock())
                return
            self._stats.probes["answered"] += 1
            now = self._clock()
            node.response.observe(now - begun, now)
