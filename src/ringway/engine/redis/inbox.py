"""Inbox of a process on Redis: one subscription receives the answers to all of its requests and questions.

<prefix>:<cluster>:inbox:{<process>}   answers: the number of the request, a line feed, the answer
"""

import itertools
import secrets
from collections.abc import Callable

from ringway.engine.redis.connection import RedisConnections
from ringway.engine.redis.names import Names

OnAnswer = Callable[[bytes], None]
"""Receives an answer."""


class RedisInbox:
    """Gives each request a number. The owners of the requests bound the number of open requests."""

    def __init__(self, connections: RedisConnections, names: Names) -> None:
        self.name = names.of("inbox", secrets.token_hex(8))
        """The channel of the inbox."""
        self._all = names.prefix_of("inbox")
        self._connections = connections
        self._numbers = itertools.count(1)
        self._open: dict[bytes, OnAnswer] = {}
        connections.start_subscribe(self.name, self._receive)

    def is_inbox(self, name: bytes) -> bool:
        """Return True if `name` is the inbox of a member: answers go to inboxes only."""
        return name.startswith(self._all)

    async def wait_confirmed(self) -> None:
        """Return when the server has confirmed the subscription."""
        await self._connections.wait_confirmed(self.name)

    def open(self, on_answer: OnAnswer) -> bytes:
        """Return a new number, whose answers `on_answer` receives until `close`."""
        number = b"%d" % next(self._numbers)
        self._open[number] = on_answer
        return number

    def close(self, number: bytes) -> None:
        """Stop receiving answers to `number`. Idempotent."""
        self._open.pop(number, None)

    def _receive(self, message: bytes) -> None:
        number, _, answer = message.partition(b"\n")
        on_answer = self._open.get(number)
        if on_answer is not None:
            on_answer(answer)
