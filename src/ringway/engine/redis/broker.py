"""Publications over Redis pub/sub; see `ports.Broker`. A script sends those that are kept (`history`).

The first byte of a message says if the publication is kept. Redis sends a message to the subscribers of that moment
and stores nothing: a message that is lost on the way is found by its offset, or never.
"""

from struct import Struct

from ringway.engine.redis.connection import RedisConnections
from ringway.engine.redis.names import Names
from ringway.errors import EngineUnsuitable
from ringway.ports import Deliver
from ringway.types import Channel

PAYLOAD_BYTES_MAX = 64 << 20
"""The largest publication; Redis itself takes 512 MB (proto-max-bulk-len)."""

PLAIN = b"\0"
"""The first byte of a message whose publication is not kept."""

_PLACE = Struct(">BQQ")
"""The beginning of a message whose publication is kept: 1, its offset, the previous offset (see append.lua)."""


class _ChannelSubscription:
    """Receives the messages of one channel."""

    __slots__ = ("_broker", "_channel")

    def __init__(self, broker: "RedisBroker", channel: Channel) -> None:
        self._broker = broker
        self._channel = channel

    def __call__(self, data: bytes) -> None:
        """Deliver the publication, with its offsets if it is kept."""
        if data[0]:
            _, offset, previous = _PLACE.unpack_from(data)
            self._broker.report_missed()
            self._broker.deliver(self._channel, data[_PLACE.size :], offset, previous)
        else:
            self._broker.deliver(self._channel, data[1:], 0, 0)


class RedisBroker:
    """Carries publications. Redis knows the subscriptions of this process, and sends nothing else."""

    def __init__(self, connections: RedisConnections, names: Names) -> None:
        self.report_missed = connections.report_missed
        self._connections = connections
        self._names = names
        self.deliver: Deliver = _ignore_publication

    def attach(self, deliver: Deliver) -> None:
        """Deliver to `deliver`, in the call stack of the read. Nothing is queued, so nothing is dropped here."""
        self.deliver = deliver

    async def publish(self, channel: Channel, payload: bytes) -> None:
        """Return when the server has sent `payload` to all subscribers.

        The publications of one loop turn leave in one write. To publish without waiting for each round trip, publish
        from several tasks. Raise `EngineAway` if the server cannot be reached (nothing was sent), `Unconfirmed` if the
        connection was lost before the answer, and `EngineUnsuitable` if `payload` is too large.
        """
        check_size(payload)
        await self._connections.publish(self._names.of("ch", channel), PLAIN + payload)

    async def subscribe(self, channel: Channel) -> None:
        """Return when the server has confirmed the subscription. Subscribes of one loop turn share one round trip.

        If it is cancelled, the subscription may remain; `unsubscribe` ends it.
        """
        await self._connections.subscribe(self._names.of("ch", channel), _ChannelSubscription(self, channel))

    async def unsubscribe(self, channel: Channel) -> None:
        """Stop delivery at once. The request to the server leaves at the end of this loop turn."""
        self._connections.unsubscribe(self._names.of("ch", channel))


def check_size(payload: bytes) -> None:
    """Raise `EngineUnsuitable` if `payload` is larger than a publication may be."""
    if len(payload) > PAYLOAD_BYTES_MAX:
        raise EngineUnsuitable(
            f"a publication of {len(payload)} bytes; over Redis {PAYLOAD_BYTES_MAX} are the most: publish less at once"
        )


def _ignore_publication(channel: Channel, payload: bytes, offset: int, previous: int) -> None:
    """Stand in for `deliver` until a listener is attached."""
