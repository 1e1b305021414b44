"""Fence of a node that was stopped until other members counted it as dead: then it must close its clients.

A process that is stopped (SIGSTOP, a suspended machine) does not notice. When it continues, it holds connections of
clients whose sessions may go on at other nodes, and would serve these clients a second time. So it checks two questions
at each beat. Was it silent for longer than the other members wait? Was it silent because it did not run?

On a busy machine beats are late as well, but then the process was ready to run, or did run. The time that it used and
the time that it waited for a processor are subtracted: only the rest of the gap was a stop. Other processes of the
machine were late as well, and froze their leases (`membership`). The fence does not know if other members have given up
the node already. If a stop ends a moment before that, the error costs one reconnect of each client.
"""

from ringway.core.membership import LATEST_S, LEASE_S, TICK_S


class Fence:
    """Detects stops. `now` should go on while the machine is suspended; `cpu_s` and `queued_s` only grow."""

    __slots__ = ("_at", "_cpu_s", "_queued_s", "_reported_at", "_reports")

    def __init__(self, now: float, cpu_s: float, queued_s: float) -> None:
        self._at = now
        self._cpu_s = cpu_s
        self._queued_s = queued_s
        self._reported_at = now
        self._reports = 0

    def beat(self, now: float, cpu_s: float, queued_s: float, reports: int) -> bool:
        """Return True if the clients must be given up; call it every `TICK_S`.

        `cpu_s` is the CPU time of this process, `queued_s` the time for which it was ready and did not run, `reports`
        the number of its last report.
        """
        silent_s = now - self._reported_at
        stopped_s = (now - self._at - TICK_S) - (cpu_s - self._cpu_s) - (queued_s - self._queued_s)
        if reports != self._reports:
            # A report since the last beat may have been sent only now, after the stop: it ends no earlier silence.
            self._reports, self._reported_at = reports, self._at
        self._at, self._cpu_s, self._queued_s = now, cpu_s, queued_s
        return silent_s > LEASE_S and stopped_s > LEASE_S - LATEST_S
