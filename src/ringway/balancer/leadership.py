"""Leadership: the lease of the balancer, renewed in time, and given up for lost in time."""

from collections.abc import Callable

from ringway.errors import EngineError
from ringway.logger import get_logger
from ringway.ports import Lease

LEASE_NAME = "balancer"

_log = get_logger()


class Leadership:
    """One candidate for the lease. It leads only while its last renewal is younger than the lease.

    That keeps two leaders apart as far as clocks allow; nodes close the rest by refusing older fencing numbers.
    """

    def __init__(self, lease: Lease, holder: str, ttl_s: float, clock: Callable[[], float]) -> None:
        self._lease = lease
        self._holder = holder
        self._ttl_s = ttl_s
        self._clock = clock
        self._fence: int | None = None
        self._until = 0.0
        self._problem = ""
        self.lag_s = 0.0
        """How long the engine took to answer the last time it was asked for the lease."""

    @property
    def fence(self) -> int | None:
        """The fencing number while this candidate leads, else None."""
        return self._fence if self._clock() < self._until else None

    async def keep_lease(self) -> int | None:
        """Acquire or renew; call about once a second. Returns the fencing number while leading."""
        asked_at = self._clock()
        try:
            if self._fence is None:
                self._fence = await self._lease.acquire(LEASE_NAME, self._holder, self._ttl_s)
                if self._fence is not None:
                    _log.info("leading the balancer", fence=self._fence)
            elif not await self._lease.renew(LEASE_NAME, self._holder, self._ttl_s):
                _log.warning("lost the balancer's lease", fence=self._fence)
                self._fence = None
        except EngineError as error:
            if str(error) != self._problem:  # it is asked each second
                self._problem = str(error)
                _log.warning("the balancer's lease cannot be kept", error=self._problem)
            if self.fence is None:
                self._fence = None
            return self.fence
        self._problem = ""
        self.lag_s = self._clock() - asked_at
        if self._fence is not None:
            self._until = asked_at + self._ttl_s
        return self.fence

    async def resign(self) -> None:
        """Give the lease up, so that another gateway leads at once."""
        if self._fence is not None:
            self._fence = None
            try:
                await self._lease.release(LEASE_NAME, self._holder)
            except EngineError as error:
                _log.warning("the balancer's lease was not released; it ends by itself", error=str(error))
