"""Publications over Redis pub/sub; see `ports.Broker`. Those that are kept come out of a script (`redis_history`).

The first byte of a message says which of the two it is. Redis sends it to who is subscribed at that moment and keeps
nothing: what is lost on the way shows by the offsets, or is never seen.
"""

from struct import Struct

from ringway.engine.redis.connection import Wire
from ringway.engine.redis.names import Names
from ringway.errors import EngineUnsuitable
from ringway.ports import Deliver
from ringway.types import Channel

PAYLOAD_BYTES_MAX = 64 << 20
"""The largest publication; Redis itself takes 512 MB (proto-max-bulk-len)."""

PLAIN = b"\0"

_PLACE = Struct(">BQQ")
"""How a message begins that is kept: 1, its offset, the offset before it (see append.lua)."""


class _ChannelTap:
    """The interest in one channel."""

    __slots__ = ("_broker", "_channel")

    def __init__(self, broker: "RedisBroker", channel: Channel) -> None:
        self._broker = broker
        self._channel = channel

    def __call__(self, data: bytes) -> None:
        """Deliver the publication, with its place where it is kept."""
        if data[0]:
            _, offset, previous = _PLACE.unpack_from(data)
            self._broker.tell_missed()
            self._broker.deliver(self._channel, data[_PLACE.size :], offset, previous)
        else:
            self._broker.deliver(self._channel, data[1:], 0, 0)


class RedisBroker:
    """Carries publications; Redis knows this process's interest, and sends nothing else."""

    def __init__(self, wire: Wire, names: Names) -> None:
        self.tell_missed = wire.tell_missed
        self._wire = wire
        self._names = names
        self.deliver: Deliver = _nobody

    def attach(self, deliver: Deliver) -> None:
        """Deliver to `deliver`, in the call stack of the read: nothing is queued, so nothing is dropped here."""
        self.deliver = deliver

    async def publish(self, channel: Channel, payload: bytes) -> None:
        """Return when the server has sent `payload` to all who are subscribed.

        The publications of one loop turn leave in one write; who does not want to wait for a round trip publishes from
        several tasks. Raise `EngineAway` where the server is not there (nothing was sent), `Unconfirmed` where it was
        lost before it answered, and `EngineUnsuitable` where `payload` is too large.
        """
        check_size(payload)
        await self._wire.publish(self._names.of("ch", channel), PLAIN + payload)

    async def subscribe(self, channel: Channel) -> None:
        """Return when the server has confirmed the interest. Subscribes of one loop turn share one round trip.

        Cancelled, it may leave the interest behind; `unsubscribe` ends it.
        """
        await self._wire.subscribe(self._names.of("ch", channel), _ChannelTap(self, channel))

    async def unsubscribe(self, channel: Channel) -> None:
        """Stop delivery at once; the server is told at the end of this loop turn."""
        self._wire.untap(self._names.of("ch", channel))


def check_size(payload: bytes) -> None:
    """Raise `EngineUnsuitable` where `payload` is larger than a publication may be."""
    if len(payload) > PAYLOAD_BYTES_MAX:
        raise EngineUnsuitable(
            f"a publication of {len(payload)} bytes; over Redis {PAYLOAD_BYTES_MAX} are the most: publish less at once"
        )


def _nobody(channel: Channel, payload: bytes, offset: int, previous: int) -> None:
    """Stands for `deliver` until it is attached."""
