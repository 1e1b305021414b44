"""Measures of the process: CPU, memory, lag of the event loop, and the handshake rate that it can serve."""

import os
import time
from collections.abc import Callable

ACCEPT_PER_S_START = 500.0
"""The rate that is reported until enough handshakes were measured: a tenth of the rate of one core, as a safe value."""

_ACCEPT_PER_S_MIN = 20.0
_ACCEPT_PER_S_MAX = 20_000.0
_CPU_FOR_ACCEPTS = 0.5  # share of the idle core that newcomers may use
_START_S = _CPU_FOR_ACCEPTS / ACCEPT_PER_S_START
_HANDSHAKES_MIN = 20  # in one period, to be worth measuring
_CROWD = 2.0  # times as many as usual are a crowd
_WEIGHT = 0.3  # weight of the newest value in moving averages; of a cost measured over a hundred handshakes
_WEIGHT_MAX = 0.7
_DRIFT = 0.0012  # a period: a high cost that is not measured again is halved in ten minutes
_WEIGHT_OF_CROWD = 0.02  # weight of a crowd in the usual rate: after minutes a crowd is usual
_STRAYS = 0.1  # the share of accepted handshakes
_STRAYS_MIN = 5


class ProcessStats:
    """Samples the process. `clock` is monotonic, `cpu_clock` the CPU time used by this process, both in seconds.

    The cost of a handshake is measured in a crowd: the CPU time above the usual, for each handshake above the usual.

        cost = (CPU of a crowded period - usual CPU) / (handshakes of it - usual handshakes)

    So the constant load of the process is not counted, even if clients arrive all the time. A burst of messages in the
    same period is counted: the rate is rather too low than too high. A period is ignored if many of its sockets were
    not accepted (refused, or not answered yet): in a flood the refusals would count as cost, the rate would fall, and
    more would be refused.

    A cost above the initial cost falls slowly while no crowd comes. A member that was slow once is sent few clients, so
    it would otherwise never prove that it is fast again.
    """

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, cpu_clock: Callable[[], float] = time.process_time
    ) -> None:
        self._clock = clock
        self._cpu_clock = cpu_clock
        self._at = clock()
        self._cpu_at = cpu_clock()
        self._accepted = 0
        self._opened = 0
        self._usual_cpu = 0.0
        self._usual_per_s = 0.0
        self._handshake_s = 0.0
        self._expected_at: float | None = None
        self._lag_s = 0.0
        self.cpu = 0.0
        self.loop_lag_s = 0.0

    def expect(self, at: float) -> None:
        """Set the time at which `pulse` is due next."""
        self._expected_at = at

    def pulse(self) -> None:
        """Measure how late this call is."""
        if self._expected_at is not None:
            self._lag_s = max(self._lag_s, self._clock() - self._expected_at)

    def sample(self, accepted: int, opened: int) -> None:
        """End a period: `accepted` and `opened` count the handshakes and the sockets so far."""
        now, cpu_now = self._clock(), self._cpu_clock()
        period = now - self._at
        if period <= 0:
            return
        used = cpu_now - self._cpu_at
        fresh, strays = accepted - self._accepted, abs(opened - self._opened - (accepted - self._accepted))
        self.cpu = min(1.0, used / period)
        self.loop_lag_s, self._lag_s = max(0.0, self._lag_s), 0.0
        self._at, self._cpu_at, self._accepted, self._opened = now, cpu_now, accepted, opened
        if strays > max(_STRAYS_MIN, _STRAYS * fresh):
            return
        crowd = fresh >= _HANDSHAKES_MIN and fresh > _CROWD * self._usual_per_s * period
        if crowd:
            more = fresh - self._usual_per_s * period
            cost = max(used - self._usual_cpu * period, 0.1 * used) / more
            weight = min(_WEIGHT_MAX, _WEIGHT * more / 100) if self._handshake_s else 1.0
            self._handshake_s += weight * (cost - self._handshake_s)
        elif self._handshake_s > _START_S:
            self._handshake_s = max(_START_S, (1 - _DRIFT) * self._handshake_s)
        weight = _WEIGHT_OF_CROWD if crowd else _WEIGHT
        self._usual_cpu += weight * (self.cpu - self._usual_cpu)
        self._usual_per_s += weight * (fresh / period - self._usual_per_s)

    @property
    def accept_per_s(self) -> float:
        """Handshakes a second that the process can serve."""
        if not self._handshake_s:
            return ACCEPT_PER_S_START
        idle = max(0.1, 1.0 - self._usual_cpu)
        return min(_ACCEPT_PER_S_MAX, max(_ACCEPT_PER_S_MIN, _CPU_FOR_ACCEPTS * idle / self._handshake_s))


def queued_s() -> float:
    """Return how long this process was ready and waited for a processor; 0 if the system does not report it."""
    try:
        with open("/proc/self/schedstat", "rb") as schedstat:
            return int(schedstat.read().split()[1]) / 1e9
    except (OSError, ValueError, IndexError):
        return 0.0


def open_files() -> int:
    """Return the number of open files of this process; 0 if one call does not return it (Linux before 6.2)."""
    try:
        return os.stat("/proc/self/fd").st_size
    except OSError:
        return 0


def memory_bytes() -> int:
    """Return the resident memory of this process; 0 if the system does not report it."""
    try:
        with open("/proc/self/statm", "rb") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0
