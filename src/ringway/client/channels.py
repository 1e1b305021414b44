"""The channels that a client is subscribed to, across connections.

Theory of operation. However many subscriptions a program makes to a channel, one goes over the wire. A new connection
subscribes to all of them anew (`attach`). A subscribe that is refused for a time is tried again after a jittered pause;
one that is refused for good ends its subscriptions; one that is not answered ends the connection.
"""

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from ringway.client.config import ClientConfig
from ringway.client.link import Link, result_of
from ringway.client.subscription import Publication, Subscription
from ringway.core.backoff import next_delay_s
from ringway.errors import CommandError, ConnectionClosed
from ringway.protocol.command import Push, Reply, SubscribeRequest, UnsubscribePush, UnsubscribeRequest
from ringway.types import Channel

if TYPE_CHECKING:
    from random import Random

RESUBSCRIBE_FROM = 2500
"""From this code on an unsubscribe push asks the client to subscribe again."""


class _Entry:
    """One channel: who wants it, and how far its subscribe has come on the present connection."""

    __slots__ = ("attempt", "channel", "confirmed", "subscriptions", "timer")

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.subscriptions: list[Subscription] = []
        self.confirmed = False
        self.attempt = 0
        self.timer: asyncio.TimerHandle | None = None  # the deadline of the answer, or the pause before a retry

    def stop_timer(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None

    def confirm(self, confirmed: bool) -> None:
        self.confirmed = confirmed
        for subscription in self.subscriptions:
            subscription.confirm(confirmed)


class Channels:
    """See the module."""

    def __init__(self, config: ClientConfig, rng: "Random") -> None:
        self._config = config
        self._rng = rng
        self._entries: dict[str, _Entry] = {}
        self._link: Link | None = None

    def add(self, subscription: Subscription) -> None:
        """Begin to deliver to `subscription`."""
        entry = self._entries.get(subscription.channel)
        if entry is not None:
            entry.subscriptions.append(subscription)
            if entry.confirmed:
                subscription.confirm(True)
            return
        entry = self._entries[subscription.channel] = _Entry(subscription.channel)
        entry.subscriptions.append(subscription)
        self._subscribe([entry])

    def remove(self, subscription: Subscription) -> None:
        """Deliver to `subscription` no more; the last one of a channel takes it off the wire."""
        entry = self._entries.get(subscription.channel)
        if entry is None or subscription not in entry.subscriptions:
            return
        entry.subscriptions.remove(subscription)
        if not entry.subscriptions:
            self._drop(entry)
            if self._link is not None:
                self._link.tell(unsubscribe=UnsubscribeRequest(entry.channel))

    def attach(self, link: Link) -> None:
        """Subscribe to everything over `link`."""
        self._link = link
        self._subscribe(list(self._entries.values()))

    def detach(self) -> None:
        """The connection is over; what is subscribed is kept for the next."""
        self._link = None
        for entry in self._entries.values():
            entry.stop_timer()
            entry.confirm(False)

    def end(self, error: Exception | None) -> None:
        """The client is over: end every subscription."""
        for entry in list(self._entries.values()):
            self._end(entry, error)

    def pushed(self, push: Push) -> None:
        """Hand a push to those it is for."""
        entry = self._entries.get(push.channel)
        if entry is None:
            return
        if push.pub is not None:
            info = push.pub.info
            publication = Publication(entry.channel, push.pub.data, info.client if info else "")
            for subscription in tuple(entry.subscriptions):
                subscription.deliver(publication)
        elif push.unsubscribe is not None:
            self._unsubscribed(entry, push.unsubscribe)

    def _subscribe(self, entries: list[_Entry]) -> None:
        link = self._link
        if link is None or not link.is_open or not entries:
            return
        deadline_s = self._config.command_timeout_s
        requests = [{"subscribe": SubscribeRequest(entry.channel)} for entry in entries]
        for entry, answer in zip(entries, link.call_all(requests), strict=True):
            entry.stop_timer()
            entry.timer = asyncio.get_running_loop().call_later(deadline_s, link.cut)
            answer.add_done_callback(partial(self._answered, entry))

    def _answered(self, entry: _Entry, answer: "asyncio.Future[Reply]") -> None:
        if self._entries.get(entry.channel) is not entry or isinstance(answer.exception(), ConnectionClosed):
            return
        entry.stop_timer()
        try:
            result_of(answer.result())
        except CommandError as error:
            if error.temporary or error.code < 100:
                self._retry(entry)
            else:
                self._end(entry, error)
        else:
            entry.attempt = 0
            entry.confirm(True)

    def _unsubscribed(self, entry: _Entry, push: UnsubscribePush) -> None:
        entry.confirm(False)
        if push.code >= RESUBSCRIBE_FROM:
            self._retry(entry)
        else:
            self._end(entry, CommandError(push.code, push.reason or "the server ended the subscription"))

    def _retry(self, entry: _Entry) -> None:
        config = self._config
        pause_s = next_delay_s(entry.attempt, self._rng, base_s=config.backoff_base_s, cap_s=config.backoff_cap_s)
        entry.attempt += 1
        entry.stop_timer()
        entry.timer = asyncio.get_running_loop().call_later(pause_s, self._subscribe, [entry])

    def _drop(self, entry: _Entry) -> None:
        entry.stop_timer()
        del self._entries[entry.channel]

    def _end(self, entry: _Entry, error: Exception | None) -> None:
        self._drop(entry)
        for subscription in entry.subscriptions:
            subscription.end(error)
