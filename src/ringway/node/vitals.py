"""How the process fares: CPU, memory, lag of the event loop, and the handshake rate that it can take."""

import os
import time
from collections.abc import Callable

ACCEPT_PER_S_START = 500.0
"""Said until enough handshakes were seen: a tenth of what one core does, so that nothing is flooded."""

_ACCEPT_PER_S_MIN = 20.0
_ACCEPT_PER_S_MAX = 20_000.0
_CPU_FOR_ACCEPTS = 0.5  # share of the idle core that newcomers may use
_HANDSHAKES_MIN = 20  # in one period, to be worth measuring
_WEIGHT = 0.3  # of the newest value in moving averages


class Vitals:
    """Samples the process. `clock` is monotonic, `cpu_clock` the CPU time used by this process, both in seconds.

    The cost of a handshake is the CPU time of a period with handshakes, less that of periods without, divided by their
    number. What else happened in the period counts as well: the rate is rather too low than too high.
    """

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, cpu_clock: Callable[[], float] = time.process_time
    ) -> None:
        self._clock = clock
        self._cpu_clock = cpu_clock
        self._at = clock()
        self._cpu_at = cpu_clock()
        self._accepted = 0
        self._base_cpu = 0.0
        self._handshake_s = 0.0
        self._expected_at: float | None = None
        self._lag_s = 0.0
        self.cpu = 0.0
        self.loop_lag_s = 0.0

    def expect(self, at: float) -> None:
        """Say when `pulse` will be called next."""
        self._expected_at = at

    def pulse(self) -> None:
        """Measure how late this call is."""
        if self._expected_at is not None:
            self._lag_s = max(self._lag_s, self._clock() - self._expected_at)

    def sample(self, accepted: int) -> None:
        """End a period: `accepted` is the count of all handshakes so far."""
        now, cpu_now = self._clock(), self._cpu_clock()
        period = now - self._at
        if period <= 0:
            return
        used = cpu_now - self._cpu_at
        fresh = accepted - self._accepted
        self.cpu = min(1.0, used / period)
        self.loop_lag_s, self._lag_s = max(0.0, self._lag_s), 0.0
        if fresh >= _HANDSHAKES_MIN:
            cost = max(used - self._base_cpu * period, 0.1 * used) / fresh
            self._handshake_s += _WEIGHT * (cost - self._handshake_s) if self._handshake_s else cost
        elif fresh == 0:
            self._base_cpu += _WEIGHT * (self.cpu - self._base_cpu)
        self._at, self._cpu_at, self._accepted = now, cpu_now, accepted

    @property
    def accept_per_s(self) -> float:
        """Handshakes a second that the process can take."""
        if not self._handshake_s:
            return ACCEPT_PER_S_START
        idle = max(0.1, 1.0 - self._base_cpu)
        return min(_ACCEPT_PER_S_MAX, max(_ACCEPT_PER_S_MIN, _CPU_FOR_ACCEPTS * idle / self._handshake_s))


def open_files() -> int:
    """How many files this process has open; 0 where the system does not tell in one call (Linux before 6.2)."""
    try:
        return os.stat("/proc/self/fd").st_size
    except OSError:
        return 0


def memory_bytes() -> int:
    """The resident memory of this process; 0 where the system does not tell."""
    try:
        with open("/proc/self/statm", "rb") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0
