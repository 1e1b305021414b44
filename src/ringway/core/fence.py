"""Fence of a node that was stopped for so long that others gave it up: then it must give up its clients.

A process that is stopped (SIGSTOP, a suspended machine) does not notice. When it continues, it holds connections of
clients whose sessions may go on at other nodes, and would serve these clients a second time. So it checks at each beat:
was it silent for longer than the other members wait, and was that because it did not run?

A busy machine makes beats late as well. Then the process was ready to run, or did run. That is told apart by the time
that it used and the time that it waited for a processor: only the rest of the gap was a stop. Other processes of the
machine were late as well, and held their leases meanwhile (`membership`). The fence cannot know whether others have
given up the node already; if a stop ended a moment before that, it costs one reconnect of each client.
"""

from ringway.core.membership import LATEST_S, LEASE_S, TICK_S


class Fence:
    """Show it each beat. `now` should go on while the machine is suspended; `cpu_s` and `queued_s` only grow."""

    __slots__ = ("_at", "_cpu_s", "_queued_s", "_reported_at", "_reports")

    def __init__(self, now: float, cpu_s: float, queued_s: float) -> None:
        self._at = now
        self._cpu_s = cpu_s
        self._queued_s = queued_s
        self._reported_at = now
        self._reports = 0

    def beat(self, now: float, cpu_s: float, queued_s: float, reports: int) -> bool:
        """Return True if the clients must be given up; call it every `TICK_S`.

        `cpu_s` is the time that this process has used, `queued_s` the time that it was ready and did not run, `reports`
        the number of its last report.
        """
        silent_s = now - self._reported_at
        stopped_s = (now - self._at - TICK_S) - (cpu_s - self._cpu_s) - (queued_s - self._queued_s)
        if reports != self._reports:
            # Since the last beat; maybe only now, when it goes on: that ends no silence before.
            self._reports, self._reported_at = reports, self._at
        self._at, self._cpu_s, self._queued_s = now, cpu_s, queued_s
        return silent_s > LEASE_S and stopped_s > LEASE_S - LATEST_S
