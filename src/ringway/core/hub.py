"""Hub of one node: the subscribers of each channel.

Theory: a table of channels, each a table of its subscribers with their delivery data. A fan-out walks one inner table
and no more. The caller learns of the first subscriber of a channel and of the end of its last subscriber: only then
does the node's interest in the channel change (`node.channels.interest`).

Invariant: no channel without a subscriber is kept.
"""

from collections.abc import Hashable, ItemsView
from typing import Generic, TypeVar

from ringway.types import Channel

Who = TypeVar("Who", bound=Hashable)
Reach = TypeVar("Reach")


class Hub(Generic[Who, Reach]):
    """Channels and their subscribers. `Who` identifies a subscriber, `Reach` is its delivery data."""

    __slots__ = ("_channels",)

    def __init__(self) -> None:
        self._channels: dict[Channel, dict[Who, Reach]] = {}

    def __len__(self) -> int:
        return len(self._channels)

    def __contains__(self, channel: Channel) -> bool:
        return channel in self._channels

    def add(self, channel: Channel, who: Who, reach: Reach) -> bool:
        """Add a subscriber, or replace its delivery data; return True if it is the channel's first subscriber."""
        subscribers = self._channels.get(channel)
        if subscribers is None:
            self._channels[channel] = {who: reach}
            return True
        subscribers[who] = reach
        return False

    def remove(self, channel: Channel, who: Who) -> bool:
        """Remove a subscriber, if it is there; return True if it was the channel's last subscriber."""
        subscribers = self._channels.get(channel)
        if subscribers is None or subscribers.pop(who, None) is None or subscribers:
            return False
        del self._channels[channel]
        return True

    def has(self, channel: Channel, who: Who) -> bool:
        """True if `who` is a subscriber of `channel`."""
        return who in self._channels.get(channel, ())

    def subscribers(self, channel: Channel) -> ItemsView[Who, Reach] | None:
        """The subscribers of `channel` with their delivery data, as a live view; None without subscribers."""
        subscribers = self._channels.get(channel)
        return None if subscribers is None else subscribers.items()

    def count(self, channel: Channel) -> int:
        """The number of subscribers of `channel`."""
        return len(self._channels.get(channel, ()))

    def channels(self) -> list[Channel]:
        """The channels that have subscribers."""
        return list(self._channels)
