"""Utilisation by resource: 1.0 is the healthy maximum, not the possible maximum (PROTOCOL.md P-8.3).

Each value is the share of a limit that leaves room for a burst: above 70 % of a core the event loop queues, above 80 %
of its memory a process is one burst from being killed, at 50 ms of loop lag clients notice. The values are smoothed
over a few reports: policies compare members by them, and a single garbage collection must not divert a crowd.
"""

from ringway.member.limits import Limits

CPU_HEALTHY = 0.7
MEMORY_HEALTHY = 0.8
LOOP_LAG_HEALTHY_S = 0.05

_WEIGHT = 0.3  # weight of the newest value


class Utilisation:
    """The smoothed shares, by name. A resource whose limit is not known has no share."""

    __slots__ = ("_at", "_limits", "_sent_bytes", "shares")

    def __init__(self, limits: Limits, now: float) -> None:
        self._limits = limits
        self._at = now
        self._sent_bytes = 0
        self.shares: dict[str, float] = {}

    def sample(
        self, now: float, *, cpu: float, loop_lag_s: float, memory_bytes: int, files: int, sent_bytes: int
    ) -> None:
        """End a period: `files` are open, and `sent_bytes` were sent since the start of the process."""
        period = now - self._at
        if period <= 0:
            return
        limits = self._limits
        egress = (sent_bytes - self._sent_bytes) / period
        self._at, self._sent_bytes = now, sent_bytes
        self._smooth("cpu", cpu, CPU_HEALTHY)
        self._smooth("loop_lag", loop_lag_s, LOOP_LAG_HEALTHY_S)
        self._smooth("memory", memory_bytes, MEMORY_HEALTHY * limits.memory_bytes)
        self._smooth("files", files, limits.files)
        self._smooth("egress", egress, limits.egress_bytes_per_s)

    def _smooth(self, name: str, value: float, healthy: float) -> None:
        if healthy <= 0:
            return
        before = self.shares.get(name)
        share = value / healthy
        self.shares[name] = share if before is None else before + _WEIGHT * (share - before)
