"""Fence of a node that was stopped for so long that others gave it up: then it must give up its clients.

A process that is stopped (SIGSTOP, a suspended machine) does not notice. When it goes on, it holds connections of
clients whose sessions may go on elsewhere, and would serve them a second time. So it looks back at each beat: has it
been silent for longer than the others wait, and is that because it did not run?

A busy machine makes beats late as well. There the process was ready to run, or did run, and is told apart by the time
that it used and the time that it stood in the queue for the processor: only what remains of the gap was a stop. Who
shares the machine was as late, and held its leases meanwhile (`membership`). What it cannot know is whether others
have given it up already; a stop that ended a moment before that costs a reconnect, and no more.
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
