"""Moves that a client follows with its session, unnoticed by the program (PROTOCOL.md P-7.7, P-7.8).

The node's close frame is the cut. All earlier messages of the node have arrived; all commands that the client sent
before its answer are carried out by the node or by the session's next node. After the answer a wire holds new messages,
and sends them first on the new connection. Overflow rule: a writer that waits (`Wire.drain`) is stopped at
`passage.HELD_BYTES_HIGH`; above `held_bytes_max` the move is given up, and the wire is closed with 1012.
"""

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

import picows

from ringway.client.opener import Terms, join
from ringway.client.pace import MovePace
from ringway.core.backoff import next_delay_s
from ringway.errors import UpgradeError
from ringway.protocol.move import Move
from ringway.tasks import Tasks

if TYPE_CHECKING:
    from random import Random

    from ringway.client.route import Route
    from ringway.client.wire import Wire

RESUMES_MAX = 3
"""Attempts to resume one session."""

TOO_MUCH = 503
"""The status of a node that is overloaded. It does not use up the ticket; all other refusals are final."""


class Follow:
    """Follows moves for all wires of one client (`wire.MoveFollower`), and owns the connections that they left."""

    def __init__(
        self,
        route: "Route",
        terms: Terms,
        rng: "Random",
        *,
        timeout_s: float,
        held_bytes_max: int,
        moves_burst: int,
    ) -> None:
        self.held_bytes_max = held_bytes_max
        self._pace = MovePace(moves_burst, asyncio.get_running_loop().time())
        self._route = route
        self._terms = terms
        self._rng = rng
        self._timeout_s = timeout_s
        self._tasks = Tasks()

    async def go(self, wire: "Wire", move: Move) -> None:
        """Connect `wire` to the target of `move`.

        Raise `OSError` or `UpgradeError` if that fails, also because the client is moved faster than its pace allows:
        then the session is lost.
        """
        async with asyncio.timeout(self._timeout_s):
            pause_s = self._pace.next_pause_s(asyncio.get_running_loop().time(), self._rng)
            if pause_s is None:
                raise ConnectionError(f"the move to {move.node} was not followed: there were too many in a short time")
            await asyncio.sleep(pause_s)
            way = await self._route.resume(move, self._rng, self._timeout_s)
            await asyncio.sleep(way.wait_s)
            for attempt in range(RESUMES_MAX):
                try:
                    await join(way.urls[0], wire, self._terms, timeout_s=self._timeout_s)
                except (OSError, UpgradeError) as error:
                    if attempt == RESUMES_MAX - 1 or (isinstance(error, UpgradeError) and error.status != TOO_MUCH):
                        raise
                    await asyncio.sleep(next_delay_s(attempt, self._rng))
                else:
                    return

    def see_off(self, transport: picows.WSTransport) -> None:
        """Collect the failure, if any, of a connection that was left: asyncio would report it otherwise."""
        self._tasks.spawn(_collect(transport), name="end of a connection that was left")


async def _collect(transport: picows.WSTransport) -> None:
    with suppress(Exception):  # the session goes on at its next node, also after an error here
        await transport.wait_disconnected()
