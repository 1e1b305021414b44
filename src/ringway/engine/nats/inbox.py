"""Inbox of a process on NATS: one subscription receives the answers to all of its requests and questions.

<prefix>.inbox.<process>.<number>   the answers to one of them
"""

import itertools
import secrets
from collections.abc import Callable

from ringway.engine.nats.connection import NatsConnection
from ringway.engine.nats.subscription import SubjectSubscription

OnAnswer = Callable[[bytes, bytes], None]
"""Receives a message to an address of the inbox: its header and its payload."""


class NatsInbox:
    """Gives each request an address of its own. The owners of the requests bound the number of open addresses."""

    def __init__(self, connection: NatsConnection, prefix: str) -> None:
        self._all = f"{prefix}.inbox.".encode()
        self._own = f"{prefix}.inbox.{secrets.token_hex(8)}."
        self._numbers = itertools.count(1)
        self._open: dict[bytes, OnAnswer] = {}
        connection.subscribe(SubjectSubscription(f"{self._own}*", self._receive))

    def is_address(self, subject: bytes) -> bool:
        """Return True if `subject` is an address in the inbox of a member: answers go to such addresses only."""
        return subject.startswith(self._all)

    def open(self, on_answer: OnAnswer) -> str:
        """Return a new address, whose messages `on_answer` receives until `close`."""
        number = next(self._numbers)
        self._open[b"%d" % number] = on_answer
        return f"{self._own}{number}"

    def close(self, address: str) -> None:
        """Stop receiving at `address`. Idempotent."""
        self._open.pop(address.rpartition(".")[2].encode(), None)

    def _receive(self, subject: bytes, reply: bytes, header: bytes, payload: bytes) -> None:
        on_answer = self._open.get(subject.rpartition(b".")[2])
        if on_answer is not None:
            on_answer(header, payload)
