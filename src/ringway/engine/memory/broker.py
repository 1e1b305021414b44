"""Publications of the memory engine; see `ports.Broker`.

Delivery is by `loop.call_soon`, in the order of publication; nothing else decides the order.
"""

import asyncio

from ringway.engine.memory.connection import MemoryConnection
from ringway.ports import Deliver
from ringway.types import Channel


class MemoryBroker:
    """A member's broker. `brokers` are those of all members, in the order in which they came; it adds itself."""

    def __init__(self, connection: MemoryConnection, brokers: "list[MemoryBroker]") -> None:
        self._connection = connection
        self._brokers = brokers
        self._deliver: Deliver | None = None
        self._channels: set[Channel] = set()
        brokers.append(self)

    def attach(self, deliver: Deliver) -> None:
        """Deliver to `deliver`, in the event loop, one call for each publication."""
        self._deliver = deliver

    async def publish(self, channel: Channel, payload: bytes) -> None:
        """Give `payload` to each subscribed member in the next turn of its loop."""
        self._connection.require()
        self.send(channel, payload, 0, 0)

    def send(self, channel: Channel, payload: bytes, offset: int, previous: int) -> None:
        """Give a publication to each subscribed member in the next turn of its loop.

        `offset` and `previous` are those of `ports.Deliver`.
        """
        loop = asyncio.get_running_loop()
        for broker in self._brokers:
            if channel in broker._channels:
                loop.call_soon(broker._on_publication, channel, payload, offset, previous)

    def _on_publication(self, channel: Channel, payload: bytes, offset: int, previous: int) -> None:
        # Checked again: the member may have unsubscribed since the publication was sent.
        if channel in self._channels and self._deliver is not None:
            self._deliver(channel, payload, offset, previous)

    async def subscribe(self, channel: Channel) -> None:
        """Deliver what is published from now on."""
        self._connection.require()
        self._channels.add(channel)

    async def unsubscribe(self, channel: Channel) -> None:
        """Deliver nothing more, publications under way included."""
        self._channels.discard(channel)

    def close(self) -> None:
        """Deliver nothing more. Idempotent."""
        self._channels.clear()
        if self in self._brokers:
            self._brokers.remove(self)
