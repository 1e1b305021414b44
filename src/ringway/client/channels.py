"""Channels of a client's subscriptions, across connections.

Theory of operation. For any number of subscriptions to a channel, one subscribe is sent. A new connection subscribes to
all channels again (`attach`), to a recoverable channel from the last position: missed publications come with the
answer, and are delivered before live publications. An offset is not delivered twice. If the server cannot return all
missed publications, the subscriptions are informed (`Subscription.miss`).

A subscribe that is refused temporarily is repeated after a jittered pause; a subscribe that is refused for good ends
its subscriptions. The pace of subscribes is decided in `queue`.
"""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from ringway.client.channel_entry import ChannelEntry
from ringway.client.config import ClientConfig
from ringway.client.link import ChannelLink, result_of
from ringway.client.queue import ChannelCommand, ChannelCommandQueue
from ringway.client.subscription import Joined, Left, Subscription
from ringway.core.backoff import next_delay_s
from ringway.errors import CommandError, ProtocolError
from ringway.protocol.command import (
    Push,
    RawPublication,
    Reply,
    SubscribeResult,
    UnsubscribePush,
    UnsubscribeRequest,
)
from ringway.protocol.decoding import reader
from ringway.types import Channel

if TYPE_CHECKING:
    from random import Random

RESUBSCRIBE_FROM = 2500
"""From this code on an unsubscribe push asks the client to subscribe again."""

_decode = reader(msgspec.json.Decoder(RawPublication).decode, "a publication")


class ClientChannels:
    """All channels of one client. `missed` is called with each channel of which publications may be missing."""

    def __init__(self, config: ClientConfig, rng: "Random", missed: Callable[[Channel], None]) -> None:
        self._config = config
        self._rng = rng
        self._missed = missed
        self._entries: dict[str, ChannelEntry] = {}
        self._queue = ChannelCommandQueue(config, rng, self._request, self._sent, self._answered)

    def add(self, subscription: Subscription) -> None:
        """Begin to deliver to `subscription`."""
        entry = self._entries.get(subscription.channel)
        if entry is None:
            entry = self._entries[subscription.channel] = ChannelEntry(subscription.channel)
            entry.subscriptions.append(subscription)
            self._subscribe([entry])
            return
        entry.subscriptions.append(subscription)
        if subscription.watches and not entry.watching and (entry.confirmed or entry.answer is not None):
            self._resubscribe(entry)
        elif entry.confirmed:
            subscription.recoverable = entry.recoverable
            subscription.confirm(True)

    def remove(self, subscription: Subscription) -> None:
        """Stop the delivery to `subscription`; the last subscription of a channel unsubscribes at the server."""
        entry = self._entries.get(subscription.channel)
        if entry is None or subscription not in entry.subscriptions:
            return
        entry.subscriptions.remove(subscription)
        if not entry.subscriptions:
            self._drop(entry)
            if entry.asked:
                self._queue.put(ChannelCommand(entry.channel, None))

    def attach(self, link: ChannelLink) -> None:
        """Subscribe to all channels over `link`."""
        self._queue.reset(link)
        self._subscribe(list(self._entries.values()))

    def detach(self) -> None:
        """Record that the connection is over; the subscriptions wait for the next connection."""
        self._queue.reset(None)
        for entry in self._entries.values():
            entry.stop_timer()
            entry.answer = None
            entry.asked = False
            entry.early.clear()  # these publications will be recovered
            entry.confirm(False)

    def end_all(self, error: Exception | None) -> None:
        """The client is over: end every subscription."""
        for entry in list(self._entries.values()):
            self._end(entry, error)

    def pushed(self, push: Push) -> None:
        """Deliver a push to its channel."""
        entry = self._entries.get(push.channel)
        if entry is None:
            return
        if entry.answer is not None:
            entry.early.append(push)
        else:
            self._hand(entry, push)

    def _subscribe(self, entries: list[ChannelEntry]) -> None:
        self._queue.put(*(ChannelCommand(entry.channel, entry) for entry in entries))

    def _resubscribe(self, entry: ChannelEntry) -> None:
        """Subscribe with other options: the node carries out both commands in order, and recovers in between."""
        self._queue.put(ChannelCommand(entry.channel, None), ChannelCommand(entry.channel, entry))

    # Calls of the queue.

    def _request(self, order: ChannelCommand) -> dict[str, Any] | None:
        entry = order.entry
        present = self._entries.get(order.channel)
        if entry is not None:
            return {"subscribe": entry.request()} if present is entry else None
        if present is not None:
            present.confirm(False)
        return {"unsubscribe": UnsubscribeRequest(order.channel)}

    def _sent(self, order: ChannelCommand, link: ChannelLink, answer: "asyncio.Future[Reply]") -> None:
        entry = order.entry
        if entry is not None:
            entry.stop_timer()
            entry.asked = True
            entry.answer = answer
            entry.early.clear()

    def _answered(self, order: ChannelCommand, link: ChannelLink, answer: "asyncio.Future[Reply]") -> None:
        entry = order.entry
        if entry is None or entry.answer is not answer:
            return
        entry.answer = None
        try:
            result = result_of(answer.result()).subscribe or SubscribeResult()
            missed = [_decode(raw) for raw in result.publications]
        except ProtocolError:
            link.cut()  # the next connection asks again
        except CommandError as error:
            if error.temporary or error.code < 100:
                self._retry(entry)
            else:
                self._end(entry, error)
        else:
            entry.attempt = 0
            self._take(entry, result, missed)

    def _take(self, entry: ChannelEntry, result: SubscribeResult, missed: list[RawPublication]) -> None:
        """Go on at the server's position: first with missed publications, then with pushes behind the answer."""
        lost = result.was_recovering and not result.recovered
        entry.recoverable = result.recoverable
        if lost or result.epoch != entry.epoch or not result.was_recovering:
            entry.epoch, entry.offset = result.epoch, result.offset
        if lost:
            for subscription in entry.subscriptions:
                subscription.miss()
            self._missed(entry.channel)
        entry.confirm(True)
        for publication in missed:
            entry.publish(publication)
        if result.recovered:
            entry.offset = max(entry.offset, result.offset)
        early, entry.early = entry.early, []
        for push in early:
            self._hand(entry, push)

    def _hand(self, entry: ChannelEntry, push: Push) -> None:
        """Deliver one push to the subscriptions of its channel."""
        if push.pub is not None:
            entry.publish(push.pub)
        elif push.join is not None:
            entry.note(Joined(entry.channel, push.join.info.client, push.join.info.user))
        elif push.leave is not None:
            entry.note(Left(entry.channel, push.leave.info.client, push.leave.info.user))
        elif push.unsubscribe is not None:
            self._unsubscribed(entry, push.unsubscribe)

    def _unsubscribed(self, entry: ChannelEntry, push: UnsubscribePush) -> None:
        entry.confirm(False)
        if push.code >= RESUBSCRIBE_FROM:
            self._retry(entry)
        else:
            self._end(entry, CommandError(push.code, push.reason or "the server ended the subscription"))

    def _retry(self, entry: ChannelEntry) -> None:
        config = self._config
        pause_s = next_delay_s(entry.attempt, self._rng, base_s=config.backoff_base_s, cap_s=config.backoff_cap_s)
        entry.attempt += 1
        entry.stop_timer()
        entry.timer = asyncio.get_running_loop().call_later(pause_s, self._subscribe, [entry])

    def _drop(self, entry: ChannelEntry) -> None:
        entry.stop_timer()
        entry.answer = None
        del self._entries[entry.channel]

    def _end(self, entry: ChannelEntry, error: Exception | None) -> None:
        self._drop(entry)
        for subscription in entry.subscriptions:
            subscription.end(error)
