"""Users who may have one connection: who connects anew is told to all nodes, which close the earlier connections.

Of two connections that come together, the nodes find the same one newer, and the other is closed. A session that is
moved is no new connection: its client keeps its id, and nothing is told.
"""

import asyncio
from collections.abc import Callable

from ringway.errors import EngineError, ProtocolError
from ringway.logger import get_logger
from ringway.node.connection.connection import Connection
from ringway.ports import Bus
from ringway.protocol.close import FORCE_DISCONNECT
from ringway.protocol.user_order import USERS, NewestOrder, OrderDone, decode_answer, encode
from ringway.tasks import Tasks

REASON = "the user has connected anew, and may have one connection"

TELL_S = 1.0
"""The deadline of the nodes' answers."""

AGAIN_S = 1.0
"""The pause before it is told again, while the engine is away."""

TELLING_MAX = 256
"""Connections that are told at one time; further ones wait."""

_log = get_logger()


class SingleConnections:
    """Tells all nodes of the new connections of one node. `wall` is Unix time, in seconds."""

    def __init__(self, bus: Bus, wall: Callable[[], float]) -> None:
        self._bus = bus
        self._wall = wall
        self._turn = asyncio.Semaphore(TELLING_MAX)
        self._tasks = Tasks()

    def tell(self, connection: Connection) -> None:
        """Have all nodes close the earlier connections of the user of `connection`, which is connected now."""
        if connection.credentials.user:
            self._tasks.spawn(self._tell(connection), name="the user's only connection")

    async def aclose(self) -> None:
        """Tell no more."""
        await self._tasks.aclose()

    async def _tell(self, connection: Connection) -> None:
        credentials = connection.credentials
        order = NewestOrder(
            user=credentials.user, newest=connection.client, at=credentials.connected_at or self._wall(),
            code=FORCE_DISCONNECT, reason=REASON,
        )  # fmt: skip
        while connection.is_connected:
            try:
                async with self._turn:
                    answers = await self._bus.gather(USERS, encode(order), timeout_s=TELL_S)
                newer = any(isinstance(done := decode_answer(each), OrderDone) and done.newer for each in answers)
            except (EngineError, ProtocolError) as error:
                _log.info("a user's earlier connections were not closed yet", user=order.user, why=str(error))
                await asyncio.sleep(AGAIN_S)
                continue
            if newer:
                connection.close(FORCE_DISCONNECT, REASON)
            return
