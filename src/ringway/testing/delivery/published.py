"""Record of publishers: every attempt to publish, its start, and its outcome.

A publisher numbers its publications to a channel 0, 1, 2 … and sends each number once. It takes a new id whenever its
connection is lost, because the order of sending is promised for each id (PROTOCOL.md P-4.8). Times are of one monotonic
clock, in seconds: all processes of a run share a machine.
"""

import enum
from array import array
from collections.abc import Iterator


class Outcome(enum.IntEnum):
    """The outcome of a publication, as its publisher knows it."""

    UNKNOWN = 0  # sent, but the connection ended before the answer: it may have been published
    ACKED = 1  # answered: the engine has it
    REFUSED = 2  # answered with an error: nothing was published
    STORED = 3  # unknown to the publisher, but a client received it from the channel's history


OWED = frozenset({Outcome.ACKED, Outcome.STORED})
"""Outcomes after which the servers must deliver."""


class Run:
    """The publications of one publisher to one channel, as columns; the index is the number."""

    __slots__ = ("began", "outcome", "settled")

    def __init__(self) -> None:
        self.began = array("d")
        self.settled = array("d")
        self.outcome = bytearray()

    def __len__(self) -> int:
        return len(self.began)

    def is_owed(self, number: int) -> bool:
        """Return true if subscribers must get the publication `number`."""
        return self.outcome[number] in OWED


class Published:
    """All publications of a run, by channel and publisher."""

    def __init__(self) -> None:
        self.channels: dict[str, dict[int, Run]] = {}

    def begin(self, channel: str, publisher: int, at: float) -> int:
        """Record that `publisher` is about to send to `channel`; return the number of this publication."""
        run = self.channels.setdefault(channel, {}).setdefault(publisher, Run())
        run.began.append(at)
        run.settled.append(at)
        run.outcome.append(Outcome.UNKNOWN)
        return len(run) - 1

    def settle(self, channel: str, publisher: int, number: int, outcome: Outcome, at: float) -> None:
        """Record the outcome of a publication."""
        run = self.channels[channel][publisher]
        run.settled[number] = at
        run.outcome[number] = outcome

    def runs(self, channel: str) -> dict[int, Run]:
        """The publications to `channel`, by publisher."""
        return self.channels.get(channel, {})

    def merge(self, other: "Published") -> None:
        """Add the publications of further publishers."""
        for channel, runs in other.channels.items():
            mine = self.channels.setdefault(channel, {})
            if mine.keys() & runs.keys():
                raise ValueError(f"two publishers have one id: {sorted(mine.keys() & runs.keys())} in {channel!r}")
            mine.update(runs)

    def __iter__(self) -> Iterator[tuple[str, int, Run]]:
        for channel, runs in self.channels.items():
            for publisher, run in runs.items():
                yield channel, publisher, run

    def count(self, *outcomes: Outcome) -> int:
        """Return the number of publications with one of `outcomes`."""
        return sum(run.outcome.count(outcome) for _, _, run in self for outcome in outcomes)
