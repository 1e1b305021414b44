"""Publications over core NATS (`ports.Broker`). Publications with history come from a stream (`history`)."""

from ringway.engine.address import token
from ringway.engine.nats.connection import NatsConnection
from ringway.engine.nats.header import place
from ringway.errors import EngineAway, EngineUnsuitable
from ringway.ports import Deliver
from ringway.types import Channel


class _ChannelSubscription:
    """The interest in one channel: some 250 bytes with its place in both tables."""

    __slots__ = ("_broker", "channel")

    queue = ""

    def __init__(self, broker: "NatsBroker", channel: Channel) -> None:
        self._broker = broker
        self.channel = channel

    @property
    def subject(self) -> str:
        """Computed, not stored: it is read at each subscribe alone."""
        return self._broker.subject(self.channel)

    def receive(self, subject: bytes, reply: bytes, header: bytes, payload: bytes) -> None:
        """Deliver the publication, with its place if a stream republished it."""
        if header:
            self._broker.deliver(self.channel, payload, *place(header))
        else:
            self._broker.deliver(self.channel, payload, 0, 0)


class NatsBroker:
    """Carries publications; NATS sends only the channels that this process subscribes to."""

    def __init__(self, connection: NatsConnection, prefix: str) -> None:
        self._connection = connection
        self._prefix = f"{prefix}.ch."
        self._sids: dict[Channel, int] = {}
        self.deliver: Deliver = _nobody

    def subject(self, channel: Channel) -> str:
        """The NATS subject of `channel`."""
        return self._prefix + token(channel)

    def attach(self, deliver: Deliver) -> None:
        """Call `deliver` for each publication, in the call stack of the read: nothing is queued or dropped."""
        self.deliver = deliver

    async def publish(self, channel: Channel, payload: bytes) -> None:
        """Return when the server has processed `payload`: sent it to all its subscribers.

        The publications of one loop turn leave in one write and share one confirmation; publish from several tasks to
        avoid a round trip for each. Raise `EngineAway` at once if the server cannot be reached (nothing was sent),
        `Unconfirmed` if the connection is lost before the confirmation (it may have been sent), and `EngineUnsuitable`
        if `payload` is larger than the server allows.
        """
        if len(payload) > self._connection.payload_bytes_max:
            raise EngineUnsuitable(
                f"a publication of {len(payload)} bytes; this NATS takes {self._connection.payload_bytes_max} at most: "
                "raise its max_payload, or publish less"
            )
        self._connection.send(self.subject(channel), payload)
        await self._connection.outbox.processed()

    async def subscribe(self, channel: Channel) -> None:
        """Return when the server has processed the subscription. Subscribes of one loop turn share one round trip.

        A cancelled call may leave the subscription behind; `unsubscribe` ends it.
        """
        self._connection.require()
        if channel in self._sids:
            await self._connection.outbox.processed()  # an earlier subscribe may still be under way
            return
        sid = self._sids[channel] = self._connection.subscribe(_ChannelSubscription(self, channel))
        try:
            await self._connection.outbox.processed()
        except EngineAway:
            if self._sids.get(channel) == sid:
                await self.unsubscribe(channel)
            raise

    async def unsubscribe(self, channel: Channel) -> None:
        """Stop delivery at once; the server hears of it at the end of this loop turn."""
        sid = self._sids.pop(channel, None)
        if sid is not None:
            self._connection.unsubscribe(sid)


def _nobody(channel: Channel, payload: bytes, offset: int, previous: int) -> None:
    """Drop a publication: nobody is attached yet."""
