"""Outcomes of a batch: each item has one of its own, and the batch waits for the last, up to a deadline."""

import asyncio
from contextlib import suppress
from typing import Generic, TypeVar

from ringway.errors import EngineError, Unconfirmed

T = TypeVar("T")


class BatchOutcomes(Generic[T]):
    """The outcomes of `count` items, in their places. `settled` is done when each item has one."""

    __slots__ = ("_found", "_open", "settled")

    def __init__(self, count: int) -> None:
        self._found: list[T | EngineError | None] = [None] * count
        self._open = count
        self.settled: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if not count:
            self.settled.set_result(None)

    @property
    def found(self) -> list[T | EngineError | None]:
        """The outcomes until now; None where there is none yet."""
        return self._found

    def settle(self, at: int, outcome: T | EngineError) -> None:
        """Set the outcome of the item `at`. Call it once for each item."""
        self._found[at] = outcome
        self._open -= 1
        if not self._open and not self.settled.done():
            self.settled.set_result(None)

    async def wait(self) -> list[T | EngineError]:
        """Return all outcomes when each item has one. If the call is cancelled, items may still be under way."""
        await self.settled
        return self._found  # type: ignore[return-value]  # each place is set

    async def wait_until(self, deadline_s: float) -> list[T | EngineError]:
        """Return the outcomes when each item has one, or after `deadline_s`: then the others are `Unconfirmed`."""
        if not self.settled.done():
            with suppress(TimeoutError):
                async with asyncio.timeout(deadline_s):
                    await self.settled
        late = Unconfirmed(f"the engine did not confirm within {deadline_s:g} s")
        return [late if outcome is None else outcome for outcome in self._found]
