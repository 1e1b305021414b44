"""The node's interest in channels, at the engine: as much as its subscribers need, and little traffic for it.

For each channel at most one request to the engine is under way, and all who wait for the channel share it. The interest
outlives its last subscriber by `linger_s`, so that a page that is reloaded costs the engine nothing.

    absent ──obtain──▶ coming ──▶ held ◀──claim/release──▶ lingering ──sweep──▶ going ──▶ absent

A channel comes as lingering, and `claim` takes it: so nothing is held for ever if those who waited have gone.

What is done with what arrives is the business of a `Follower`: it is told before a channel comes, is given the time to
learn where the channel stands, and is told when the channel goes.
"""

import asyncio
from collections.abc import Callable
from typing import Protocol

from ringway.errors import EngineError
from ringway.ports import Broker
from ringway.types import Channel


class Follower(Protocol):
    """Follows the channels that are held."""

    def begin(self, channel: Channel) -> None:
        """Expect publications of `channel`."""
        ...

    async def ready(self, channel: Channel) -> None:
        """Return when it is known where `channel` stands; raise `EngineError` where that cannot be learned."""
        ...

    def needs(self, channel: Channel) -> bool:
        """Whether somebody needs `channel` now, whoever has released it."""
        ...

    def end(self, channel: Channel) -> None:
        """Expect no more of it."""
        ...


class Interest:
    """Holds channels at the engine. `clock` is monotonic, in seconds."""

    __slots__ = ("_broker", "_clock", "_flights", "_follower", "_held", "_linger_s", "_lingering")

    def __init__(self, broker: Broker, follower: Follower, linger_s: float, clock: Callable[[], float]) -> None:
        self._broker = broker
        self._follower = follower
        self._linger_s = linger_s
        self._clock = clock
        self._held: set[Channel] = set()
        self._lingering: dict[Channel, float] = {}
        self._flights: dict[Channel, asyncio.Task[EngineError | None]] = {}

    def __len__(self) -> int:
        return len(self._held)

    def holds(self, channel: Channel) -> bool:
        """Whether publications of `channel` reach this process."""
        return channel in self._held

    def claim(self, channel: Channel) -> bool:
        """Keep the interest for a subscriber that joins now; False where there is none to keep."""
        if channel not in self._held:
            return False
        self._lingering.pop(channel, None)
        return True

    async def obtain(self, channel: Channel) -> None:
        """Return when the interest holds and is claimed. Raise `EngineError` where the engine refused it.

        The caller gives it a deadline; being cancelled does not disturb the others who wait.
        """
        while not self.claim(channel):
            flight = self._flights.get(channel)
            if flight is None:
                flight = self._flights[channel] = asyncio.create_task(self._subscribe(channel))
            error = await asyncio.shield(flight)
            if error is not None:
                raise error

    def release(self, channel: Channel) -> None:
        """Let the interest end after `linger_s`: the last subscriber has left."""
        if channel in self._held:
            self._lingering.pop(channel, None)  # behind all others: the dict is ordered by deadline
            self._lingering[channel] = self._clock() + self._linger_s

    def sweep(self) -> None:
        """End the interests whose time has come; call it every second or so."""
        now = self._clock()
        ending: list[Channel] = []
        for channel, until in self._lingering.items():
            if until > now:
                break
            ending.append(channel)
        for channel in ending:
            del self._lingering[channel]
        ending = [channel for channel in ending if not self._follower.needs(channel)]
        if ending:
            flight = asyncio.create_task(self._unsubscribe(ending))
            for channel in ending:
                self._held.discard(channel)
                self._follower.end(channel)
                self._flights[channel] = flight

    async def close(self) -> None:
        """Wait for nothing more."""
        flights = set(self._flights.values())
        for flight in flights:
            flight.cancel()
        await asyncio.gather(*flights, return_exceptions=True)

    async def _subscribe(self, channel: Channel) -> EngineError | None:
        self._follower.begin(channel)
        try:
            await self._broker.subscribe(channel)
            try:
                await self._follower.ready(channel)
            except BaseException:
                await self._broker.unsubscribe(channel)
                raise
        except EngineError as error:
            self._follower.end(channel)
            return error
        finally:
            del self._flights[channel]
        self._held.add(channel)
        self.release(channel)
        return None

    async def _unsubscribe(self, channels: list[Channel]) -> None:
        for channel in channels:
            try:
                await self._broker.unsubscribe(channel)
            finally:
                del self._flights[channel]
