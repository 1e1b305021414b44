"""Entry of one channel in a client: its subscriptions, its position, and the state of its subscribe command."""

import asyncio

from ringway.client.subscription import Joined, Left, Publication, Subscription
from ringway.protocol.command import Push, RawPublication, Reply, SubscribeRequest
from ringway.types import Channel


class ChannelEntry:
    """One channel: its subscriptions, the state of its subscribe on the present connection, and its position."""

    __slots__ = (
        "answer",
        "asked",
        "attempt",
        "channel",
        "confirmed",
        "early",
        "epoch",
        "offset",
        "recoverable",
        "subscriptions",
        "timer",
        "watching",
    )

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.subscriptions: list[Subscription] = []
        self.confirmed = False
        self.attempt = 0
        self.timer: asyncio.TimerHandle | None = None  # the pause before a retry
        self.asked = False  # a subscribe was sent on the present connection
        self.watching = False  # joins and leaves were requested
        self.answer: asyncio.Future[Reply] | None = None  # to the subscribe under way, until it is processed
        self.early: list[Push] = []  # pushes behind the answer in its loop turn, before the answer is processed
        self.recoverable = False
        self.epoch = ""
        self.offset = 0

    def request(self) -> SubscribeRequest:
        """Return the subscribe command that goes on at the position of this channel."""
        self.watching = any(subscription.watches for subscription in self.subscriptions)
        request = SubscribeRequest(self.channel, join_leave=self.watching)
        if self.recoverable:
            request.recover, request.epoch, request.offset = True, self.epoch, self.offset
        return request

    def stop_timer(self) -> None:
        """Do not retry."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None

    def confirm(self, confirmed: bool) -> None:
        """Record if publications arrive now, and inform the subscriptions."""
        self.confirmed = confirmed
        for subscription in self.subscriptions:
            subscription.recoverable = self.recoverable
            subscription.confirm(confirmed)

    def publish(self, publication: RawPublication) -> None:
        """Deliver `publication`, unless it was delivered before."""
        offset = publication.offset
        if offset and self.epoch:
            if offset <= self.offset:
                return
            self.offset = offset
        info = publication.info
        delivered = Publication(self.channel, publication.data, info.client if info else "", offset)
        for subscription in tuple(self.subscriptions):
            subscription.deliver(delivered)

    def note(self, note: Joined | Left) -> None:
        """Inform the subscriptions of a client that joined or left."""
        for subscription in tuple(self.subscriptions):
            subscription.note(note)
