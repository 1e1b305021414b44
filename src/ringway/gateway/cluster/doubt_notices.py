"""Notices to nodes that did not answer a knock: a node with a wrong URL cannot know that by itself (P-9.2.1)."""

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from ringway.core.group import Groups
from ringway.core.load.view import NOT_KNOCKED
from ringway.errors import EngineError
from ringway.ports import Bus
from ringway.protocol.order import Unreached, encode, node_address
from ringway.types import NodeName

if TYPE_CHECKING:
    from random import Random

NOTICE_S = 5.0
"""The pause between two notices to a node."""

NOTICES_MAX = 64
"""The number of notices in one round; further doubted nodes get their notices in the next round."""

ANSWER_S = 2.0


class DoubtNotices:
    """Informs nodes why the gateway `name` sends them no clients."""

    def __init__(self, name: NodeName, groups: Groups, bus: Bus, rng: "Random") -> None:
        self._name = name
        self._groups = groups
        self._bus = bus
        self._rng = rng

    async def run(self) -> None:
        """Send notices until cancelled."""
        while True:
            await asyncio.sleep(NOTICE_S * self._rng.uniform(0.8, 1.2))
            await self.tell()

    async def tell(self) -> None:
        """Send one notice to each node that is in doubt."""
        doubted = {
            node.name: node.doubt
            for node in self._groups.nodes.values()
            if node.doubt and node.doubt != NOT_KNOCKED and not node.is_backend
        }
        chosen = self._rng.sample(sorted(doubted), min(NOTICES_MAX, len(doubted)))
        async with asyncio.TaskGroup() as group:
            for name in chosen:
                group.create_task(self._tell(name, doubted[name]))

    async def _tell(self, name: NodeName, why: str) -> None:
        notice = encode(Unreached(gateway=self._name, why=why))
        with suppress(EngineError):  # the next round follows; a node of an older release refuses it
            await self._bus.call(node_address(name), notice, timeout_s=ANSWER_S)
