"""Following moves with a session, so that nobody above notices (PROTOCOL.md P-7.7, P-7.8).

The node's close frame is the cut: all that it sent before has come, and all that was sent before the answer is carried
out by it or by the node that the session goes to. From the answer on a wire holds what it is given to send, and sends
it first on the new connection. Overflow rule: a writer that waits (`Wire.drain`) is stopped at `wire.HELD_BYTES_HIGH`;
above `held_bytes_max` the move is given up, and the wire closed with 1012.
"""

import asyncio
from typing import TYPE_CHECKING

import picows

from ringway.client.opener import Terms, join
from ringway.client.pace import MovePace
from ringway.core.backoff import next_delay_s
from ringway.errors import UpgradeError
from ringway.protocol.move import Move

if TYPE_CHECKING:
    from random import Random

    from ringway.client.route import Route
    from ringway.client.wire import Wire


RESUMES_MAX = 3
"""How often a session is tried to be resumed."""

TOO_MUCH = 503
"""How a node refuses that has too much to do. It spends no ticket then; other refusals are final."""


class Follow:
    """How the wires of one client follow moves; one for all of them. It owns what is left of the connections before."""

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
        self._farewells: set[asyncio.Task[None]] = set()

    async def go(self, wire: "Wire", move: Move) -> None:
        """Connect `wire` to where `move` leads. Raise `OSError` or `UpgradeError` where that fails: then it is lost.

        So it is where the client is moved faster than its pace allows.
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
        """Collect what picows says of a connection that was left: nobody else would."""
        task = asyncio.get_running_loop().create_task(transport.wait_disconnected())
        self._farewells.add(task)
        task.add_done_callback(self._seen_off)

    def _seen_off(self, task: "asyncio.Task[None]") -> None:
        self._farewells.discard(task)
        if not task.cancelled():
            task.exception()  # whatever it was: the session goes on elsewhere
