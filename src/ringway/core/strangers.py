"""Strangers: members whose messages are not believed, with the reason, for operators (PROTOCOL.md P-8.6).

A stranger gets no clients, and no member follows it. It is listed under the name that it claims until it was silent for
`KEEP_S`. At most `STRANGERS_MAX` are listed; above that, the stranger is dropped that was silent for longest. Each is
logged once for each fault, and at most `TOLD_MAX` in `TOLD_S`: a writer of the engine can invent names.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from ringway.core.recent import Recent
from ringway.protocol.control import StrangerRow
from ringway.protocol.seal import SealFault
from ringway.types import NodeName

KEEP_S = 60.0
PRESENT_S = 6.0
"""A stranger is there for this long after its last message; a member reports each second."""

NAME_LENGTH_MAX = 64
"""A longer name is cut: a writer of the engine can choose it."""

STRANGERS_MAX = 256

TOLD_MAX = 20
TOLD_S = 60.0


@dataclass(slots=True)
class Stranger:
    """A name under which messages come that are not believed."""

    name: NodeName
    fault: SealFault
    problem: str
    """What was wrong with its last message, and the remedy."""
    last_at: float
    told: set[SealFault] = field(default_factory=set)
    """The faults that were logged."""


class Strangers:
    """The strangers that one process hears. `now` is monotonic, in seconds."""

    __slots__ = ("_by_name", "_told_at", "refused")

    def __init__(self) -> None:
        self._by_name: Recent[NodeName, Stranger] = Recent(STRANGERS_MAX)
        self._told_at: deque[float] = deque(maxlen=TOLD_MAX)  # when the last strangers were logged
        self.refused: dict[SealFault, int] = dict.fromkeys(SealFault, 0)
        """Counters: messages that were not believed, by fault."""

    def __iter__(self) -> Iterator[Stranger]:
        return iter(sorted(self._by_name.values(), key=lambda stranger: stranger.name))

    def __contains__(self, name: NodeName) -> bool:
        return name in self._by_name

    def __len__(self) -> int:
        return len(self._by_name)

    def on_refused(self, name: NodeName, fault: SealFault, problem: str, now: float) -> bool:
        """Count a message that was not believed; return True if a log line is due."""
        self.refused[fault] += 1
        name = NodeName(name[:NAME_LENGTH_MAX])
        stranger = self._by_name.pop(name)
        if stranger is None:
            stranger = Stranger(name, fault, problem, now)
        stranger.fault, stranger.problem, stranger.last_at = fault, problem, now
        self._by_name.add(name, stranger)
        if fault in stranger.told or (len(self._told_at) == TOLD_MAX and now < self._told_at[0] + TOLD_S):
            return False
        stranger.told.add(fault)
        self._told_at.append(now)
        return True

    def on_believed(self, name: NodeName) -> None:
        """Drop the stranger `name` if only the age or the version of its messages was wrong: one is believed now.

        Old messages are read in a burst when this process, or the engine, goes on after a stop of minutes. A member
        goes over to another wire version when all members read it, and counts for that version from then on.
        """
        stranger = self._by_name.get(name)
        if stranger is not None and stranger.fault in (SealFault.STALE, SealFault.VERSION):
            self._by_name.pop(name)

    def rows(self) -> tuple[StrangerRow, ...]:
        """Return the strangers for operators, in the order of their names."""
        return tuple(StrangerRow(name=each.name, fault=each.fault, problem=each.problem) for each in self)

    def tick(self, now: float) -> None:
        """Drop the strangers that were silent for `KEEP_S`."""
        for stranger in [each for each in self._by_name.values() if each.last_at + KEEP_S <= now]:
            self._by_name.pop(stranger.name)
