"""Sink of backends that records what sources tell it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from typing import Protocol

from ringway.sources.sink import Offer
from ringway.types import NodeName

PATIENCE_S = 20.0


class RecordingSink:
    """What the sources offer now, and all that they said."""

    def __init__(self) -> None:
        self.offers: dict[str, dict[NodeName, Offer]] = {}
        self.updates = 0
        self.problems: dict[str, str] = {}
        self.said: list[str] = []  # every problem, in order; empty where one has ended
        self._heard = asyncio.Event()

    def update(self, source: str, offers: Mapping[NodeName, Offer], *, lost: Collection[NodeName] = ()) -> None:
        self.offers[source] = dict(offers)
        self.updates += 1
        self._heard.set()

    def change(
        self,
        source: str,
        offers: Mapping[NodeName, Offer],
        *,
        gone: Collection[NodeName] = (),
        lost: Collection[NodeName] = (),
    ) -> None:
        left = {*gone, *lost}
        kept = {name: offer for name, offer in self.offers.get(source, {}).items() if name not in left}
        self.update(source, {**kept, **offers})

    def report_problem(self, source: str, problem: str) -> None:
        if problem or source in self.problems:
            self.said.append(problem)
        self.problems.pop(source, None)
        if problem:
            self.problems[source] = problem
        self._heard.set()

    @property
    def names(self) -> set[str]:
        """The names of all backends that are offered."""
        return {name for offers in self.offers.values() for name in offers}

    @property
    def urls(self) -> set[str]:
        """The URLs of all backends that are offered."""
        return {offer.backend.url for offers in self.offers.values() for offer in offers.values()}

    async def until(self, true: Callable[[], bool]) -> None:
        """Wait until `true` returns True; it is asked whenever a source says something."""
        async with asyncio.timeout(PATIENCE_S):
            while not true():
                self._heard.clear()
                await self._heard.wait()


class Source(Protocol):
    """A source of backends."""

    async def run(self) -> None: ...


@asynccontextmanager
async def running(source: Source) -> AsyncIterator[None]:
    """Run `source`; at the end it must run still."""
    task = asyncio.create_task(source.run())
    try:
        await asyncio.sleep(0)
        yield
        assert not task.done(), task
    finally:
        task.cancel()
        await asyncio.wait([task])
