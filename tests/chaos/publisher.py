"""A process of publishers: sends at a steady rate, over several connections, to all channels in turn."""

import asyncio
import itertools
import time
from collections.abc import Sequence
from random import Random
from typing import Any

from chaos.client import check_clients, make_client
from chaos.publisher_protocol import PublisherProtocol
from chaos.worker import Worker
from ringway.testing.delivery import Published


class Publishers(Worker):
    """The publishers of one process. `kinds` names the kind of each publisher's connection."""

    def __init__(
        self,
        kinds: Sequence[str],
        channels: Sequence[str],
        gateways: Sequence[str],
        rate: float,
        filling: int,
        seed: int,
    ) -> None:
        super().__init__()
        rng = Random(seed)
        ids = itertools.count(1)
        self._channels = channels
        self._rate = rate
        self._published = Published()
        self._protocols = [PublisherProtocol(self._published, ids, "x" * filling) for _ in kinds]
        self._clients = [
            make_client(kind, protocol, gateways, Random(rng.getrandbits(64)), self.spawn)
            for kind, protocol in zip(kinds, self._protocols, strict=True)
        ]
        self._publishing = False
        self._late_s = 0.0

    def begin(self) -> None:
        """Connect the publishers."""
        for client in self._clients:
            client.start()
        self.spawn(check_clients(self._clients))

    def publish(self) -> None:
        """Begin to publish."""
        self._publishing = True
        self.spawn(self._publish())

    def halt(self) -> None:
        """Stop publishing; answers are still awaited."""
        self._publishing = False

    def status(self) -> dict[str, Any]:
        """The present numbers."""
        return {
            "publishers": len(self._protocols),
            "connected": sum(protocol.connected for protocol in self._protocols),
            "pending": sum(protocol.pending for protocol in self._protocols),
            "skipped": sum(protocol.skipped for protocol in self._protocols),
            "closes": [close for protocol in self._protocols for close in protocol.closes],
            "errors": [error for protocol in self._protocols for error in protocol.errors][:10],
            "late_s": self._late_s,
            "troubles": self.troubles,
        }

    def published(self) -> Published:
        """The publications of this process."""
        return self._published

    async def _publish(self) -> None:
        """Send by the clock: late publications are sent at once, so that the mean rate is met."""
        pairs = zip(itertools.cycle(self._clients), itertools.cycle(self._protocols), strict=True)
        turns = itertools.count()
        began = time.monotonic()
        for turn, (client, protocol) in zip(turns, pairs, strict=False):
            now = time.monotonic()
            due = began + turn / self._rate
            if due > now:
                await asyncio.sleep(due - now)
                now = time.monotonic()
            self._late_s = max(self._late_s, now - due)
            if not self._publishing:
                return
            # The next channel each turn, and in the next round a different publisher for it.
            channel = self._channels[(turn + turn // len(self._channels)) % len(self._channels)]
            client.send(protocol.publish(channel, now))
