"""Interest of a node in channels, at the engine: the channels of its subscribers, with little traffic.

For each channel at most one request to the engine is under way, and all callers that wait for the channel share it. The
interest outlives its last subscriber by `linger_s`, so that the reload of a page causes no request.

    absent ──obtain──▶ coming ──▶ held ◀──claim/release──▶ lingering ──sweep──▶ going ──▶ absent

A channel arrives in the state lingering, and `claim` makes it held: so no channel is held for ever if the waiting
callers have gone.

A `ChannelFollower` handles the messages. It is called before a channel comes, may wait until the channel's position is
known, and is called when the channel goes.
"""

import asyncio
from collections.abc import Callable
from typing import Protocol

from ringway.errors import EngineError
from ringway.ports import Broker
from ringway.tasks import Tasks
from ringway.types import Channel


class ChannelFollower(Protocol):
    """Follows the channels that are held."""

    def follow(self, channel: Channel) -> None:
        """Expect publications of `channel`."""
        ...

    async def learn_position(self, channel: Channel) -> None:
        """Return when the position of `channel` is known; raise `EngineError` if the engine does not return it."""
        ...

    def is_needed(self, channel: Channel) -> bool:
        """True if `channel` has subscribers or a lease."""
        ...

    def unfollow(self, channel: Channel) -> None:
        """Stop expecting publications of `channel`."""
        ...


class Interest:
    """Holds channels at the engine. `clock` is monotonic, in seconds."""

    __slots__ = ("_broker", "_clock", "_flights", "_follower", "_held", "_linger_s", "_lingering", "_tasks")

    def __init__(self, broker: Broker, follower: ChannelFollower, linger_s: float, clock: Callable[[], float]) -> None:
        self._broker = broker
        self._follower = follower
        self._linger_s = linger_s
        self._clock = clock
        self._held: set[Channel] = set()
        self._lingering: dict[Channel, float] = {}
        self._tasks = Tasks()
        self._flights: dict[Channel, asyncio.Task[EngineError | None]] = {}

    def __len__(self) -> int:
        return len(self._held)

    def holds(self, channel: Channel) -> bool:
        """True if publications of `channel` reach this process."""
        return channel in self._held

    def claim(self, channel: Channel) -> bool:
        """Hold the channel for a subscriber that joins now; False if the engine does not deliver the channel here."""
        if channel not in self._held:
            return False
        self._lingering.pop(channel, None)
        return True

    async def obtain(self, channel: Channel) -> None:
        """Return when the channel is held and claimed. Raise `EngineError` if the engine refused it.

        The caller gives it a deadline; its cancellation does not disturb other callers that wait.
        """
        while not self.claim(channel):
            flight = self._flights.get(channel)
            if flight is None:
                flight = self._tasks.spawn(self._subscribe(channel), name="subscribe to a channel")
                self._flights[channel] = flight
            error = await asyncio.shield(flight)
            if error is not None:
                raise error

    def release(self, channel: Channel) -> None:
        """Let the interest end after `linger_s`: the last subscriber has left."""
        if channel in self._held:
            self._lingering.pop(channel, None)  # to the end of the dict, which is ordered by deadline
            self._lingering[channel] = self._clock() + self._linger_s

    def sweep(self) -> None:
        """End the interests whose deadline has passed; call it every second or so."""
        now = self._clock()
        ending: list[Channel] = []
        for channel, until in self._lingering.items():
            if until > now:
                break
            ending.append(channel)
        for channel in ending:
            del self._lingering[channel]
        ending = [channel for channel in ending if not self._follower.is_needed(channel)]
        if ending:
            flight = self._tasks.spawn(self._unsubscribe(ending), name="unsubscribe from channels")
            for channel in ending:
                self._held.discard(channel)
                self._follower.unfollow(channel)
                self._flights[channel] = flight

    async def aclose(self) -> None:
        """Cancel the requests under way."""
        await self._tasks.aclose()

    async def _subscribe(self, channel: Channel) -> EngineError | None:
        self._follower.follow(channel)
        try:
            await self._broker.subscribe(channel)
            try:
                await self._follower.learn_position(channel)
            except BaseException:
                await self._broker.unsubscribe(channel)
                raise
        except EngineError as error:
            self._follower.unfollow(channel)
            return error
        finally:
            del self._flights[channel]
        self._held.add(channel)
        self.release(channel)
        return None

    async def _unsubscribe(self, channels: list[Channel]) -> EngineError | None:
        for channel in channels:
            try:
                await self._broker.unsubscribe(channel)
            finally:
                del self._flights[channel]
        return None
