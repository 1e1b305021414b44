"""One real system for the tests of a module, and clients that remember what they have seen."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack

import pytest

from integration.system.witness import Witness
from support.system import System, running_system

SOON = {"RINGWAY_BALANCE_SETTLE_S": "2"}
"""The balancer waits no longer after a change: that is proven elsewhere, in fake time."""


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    """Two nodes, a gateway, NATS: each a process."""
    with running_system(environ=SOON) as running:
        yield running


@pytest.fixture
async def witnesses(system: System) -> AsyncIterator[Callable[[int], Awaitable[list[Witness]]]]:
    """Opens so many clients of the system; they are closed after the test."""
    async with AsyncExitStack() as stack:

        async def open_some(count: int, *, url: str | list[str] = "", key: str | None = None) -> list[Witness]:
            made = [Witness(url or system.gateway_url, key=key) for _ in range(count)]
            for witness in made:
                await stack.enter_async_context(witness.client)
                await witness.listen()
            return made

        yield open_some
