"""Interest in a subject, and the receiver of its messages.

A receiver is called in the call stack of the read: there is no queue, and no message is dropped here. A slow process
reads less, and NATS disconnects it once `max_pending` bytes wait for it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

Receive = Callable[[bytes, bytes, bytes, bytes], None]
"""Receives a message: subject, reply subject, header, payload. A missing reply subject or header is empty."""

SHARED_QUEUE = "ringway"
"""The queue group of servers that share an address."""


class NatsSubscription(Protocol):
    """A subscription in the connection's view, read at each subscribe (also after a reconnect) and for each message."""

    @property
    def subject(self) -> str:
        """The subject; it may contain wildcards."""
        ...

    @property
    def queue(self) -> str:
        """The queue group, each of whose messages goes to one member; empty without a group."""
        ...

    @property
    def receive(self) -> Receive:
        """The receiver of the messages."""
        ...


@dataclass(frozen=True, slots=True)
class SubjectSubscription:
    """A subscription whose messages go to a callable."""

    subject: str
    receive: Receive
    queue: str = ""
