"""Record of clients: publications in the order of their arrival, and the events of the subscription between them.

A delivery is a row in columns. An event comes before the delivery whose index is its `before`.
"""

from array import array
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Subscribed:
    """The server confirmed the subscription. `epoch` is empty if the channel has no history."""

    at: float
    before: int
    epoch: str = ""
    offset: int = 0
    recovered: bool | None = None
    """None: recovery was not requested. Publications since the loss of the subscription are then lost, as announced."""


@dataclass(frozen=True, slots=True)
class Closed:
    """The subscription was lost: the connection was closed with `code`, or the server ended the subscription."""

    at: float
    before: int
    code: int


class Seen:
    """One subscription of one client, across all its connections."""

    __slots__ = ("at", "channel", "events", "number", "offset", "publisher")

    def __init__(self, channel: str) -> None:
        self.channel = channel
        self.publisher = array("q")
        self.number = array("q")
        self.offset = array("q")
        self.at = array("d")
        self.events: list[Subscribed | Closed] = []

    def __len__(self) -> int:
        return len(self.number)

    @property
    def subscribed(self) -> bool:
        """True if the subscription was active at the end."""
        return bool(self.events) and isinstance(self.events[-1], Subscribed)

    def deliver(self, publisher: int, number: int, offset: int, at: float) -> None:
        """Record a publication. `offset` is 0 in a channel without history; `publisher` is -1 if it was unreadable."""
        self.publisher.append(publisher)
        self.number.append(number)
        self.offset.append(offset)
        self.at.append(at)

    def subscribe(self, at: float, *, epoch: str = "", offset: int = 0, recovered: bool | None = None) -> None:
        """Record a confirmation, before the publications that came with it."""
        self.events.append(Subscribed(at, len(self), epoch, offset, recovered))

    def close(self, at: float, code: int) -> None:
        """Record the loss of the subscription. Idempotent until the next confirmation."""
        if self.subscribed:
            self.events.append(Closed(at, len(self), code))


@dataclass(slots=True)
class Witness:
    """One client: its name, the closes that its application saw, and its subscriptions."""

    name: str
    closes: list[tuple[float, int, str]] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
