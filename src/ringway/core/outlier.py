"""Outlier detection: nodes are excluded if handshakes fail there that succeed elsewhere (PROTOCOL.md P-8.12).

The method is Envoy's: consecutive failures exclude a node, for a time that grows with each repetition; only a share of
the nodes is out at one time. Two rules differ. A failure counts when a different node has opened the same client's
WebSocket: a client's own mistake, or a fault of this gateway, fails everywhere and excludes no node. And a node comes
back when its time is over and it has answered a knock.
"""

from dataclasses import dataclass

from ringway.types import Incarnation, NodeName

RUN_WITHIN_S = 300.0
"""A failure that is later than this after the one before begins a new run."""


@dataclass(frozen=True, slots=True)
class OutlierSettings:
    """The conditions under which nodes are excluded, and the time."""

    failures: int = 5  # in a row; 0: no node is excluded
    eject_s: float = 30.0  # the first time; twice as long the second time, and so on
    eject_s_max: float = 300.0
    share: float = 0.1  # of the eligible nodes, at most, but one in any case


@dataclass(frozen=True, slots=True)
class Ejection:
    """A decision to exclude a node: the number of failures, the time, and the number of repetitions."""

    failures: int
    seconds: float
    times: int


class _Record:
    __slots__ = ("back_at", "failed_at", "failures", "incarnation", "times", "until")

    def __init__(self, incarnation: Incarnation) -> None:
        self.incarnation = incarnation
        self.failures = 0  # in a row
        self.failed_at = 0.0
        self.times = 0  # recent exclusions
        self.until = 0.0  # it is out until then; 0: it is in
        self.back_at = 0.0


class Outliers:
    """The nodes of one gateway that fail. `now` is monotonic. It holds records only of nodes that have failed."""

    def __init__(self, settings: OutlierSettings) -> None:
        self._settings = settings
        self._records: dict[NodeName, _Record] = {}

    @property
    def out(self) -> list[NodeName]:
        """The nodes that are out."""
        return [name for name, record in self._records.items() if record.until]

    def succeeded(self, name: NodeName) -> None:
        """Record that a handshake succeeded at the node `name`."""
        record = self._records.get(name)
        if record is not None:
            record.failures = 0

    def failed(self, name: NodeName, incarnation: Incarnation, eligible: int, now: float) -> Ejection | None:
        """Record that a handshake failed at the node `name`, and succeeded elsewhere.

        Return the decision to exclude it, if it is to be excluded now. `eligible` counts the nodes that may be chosen,
        excluded nodes among them.
        """
        record = self._records.get(name)
        if record is None or record.incarnation != incarnation:
            record = self._records[name] = _Record(incarnation)
        if record.until:
            return None
        record.failures = 1 if now - record.failed_at > RUN_WITHIN_S else record.failures + 1
        record.failed_at = now
        settings = self._settings
        if not settings.failures or record.failures < settings.failures or not self._has_room(eligible):
            return None
        calm = record.times and now - record.back_at > settings.eject_s_max
        record.times = 1 if calm else record.times + 1
        seconds = min(settings.eject_s_max, settings.eject_s * record.times)
        record.until = now + seconds
        return Ejection(record.failures, seconds, record.times)

    def due(self, now: float) -> list[NodeName]:
        """Return the excluded nodes whose time is over: they are to be knocked."""
        return [name for name, record in self._records.items() if record.until and record.until <= now]

    def returned(self, name: NodeName, now: float) -> None:
        """Record that the node `name` is in again."""
        record = self._records.get(name)
        if record is not None and record.until:
            record.until, record.failures, record.back_at = 0.0, 0, now

    def forget(self, name: NodeName) -> None:
        """Drop the record of the node `name`, which has left."""
        self._records.pop(name, None)

    def _has_room(self, eligible: int) -> bool:
        """True if one more node may be ejected; the last node is never ejected."""
        out = len(self.out)
        return out < max(1, int(self._settings.share * eligible)) and eligible - out > 1
