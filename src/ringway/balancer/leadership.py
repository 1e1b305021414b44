"""Leadership: the lease of the balancer, which is renewed in time; if not, it counts as lost before others can get
it."""

from collections.abc import Callable

from ringway.errors import EngineError
from ringway.logger import get_logger
from ringway.ports import Lease

LEASE_NAME = "balancer"

WAITS = 3.0
"""For how many times its length an unknown process may hold the lease. After a leader's death it is once."""

_log = get_logger()


class Leadership:
    """One candidate for the lease. It leads only while its last renewal is younger than the lease.

    That keeps two leaders apart as far as clocks allow; nodes close the rest by refusing older fencing numbers.
    `proven_fence` returns the highest fence in the reports of other gateways. The fence of a new leader is above it,
    whatever the engine says: a writer of lease data must not be able to make a leader's orders old (PROTOCOL P-9.1).
    `why_not` returns why this gateway must not lead now, empty if it may; `is_led` is True if a gateway that is
    believed reports that it leads.
    """

    def __init__(
        self,
        lease: Lease,
        holder: str,
        ttl_s: float,
        clock: Callable[[], float],
        proven_fence: Callable[[], int] = lambda: 0,
        why_not: Callable[[], str] = lambda: "",
        is_led: Callable[[], bool] = lambda: True,
    ) -> None:
        self._lease = lease
        self._holder = holder
        self._ttl_s = ttl_s
        self._clock = clock
        self._proven_fence = proven_fence
        self._why_not = why_not
        self._is_led = is_led
        self._waits_since: float | None = None  # since this time no believed gateway held the lease
        self._fence: int | None = None
        self._until = 0.0
        self._problem = ""
        self.hindrance = ""
        """The reason why no believed gateway leads; empty if a believed gateway leads, or if it is not known yet."""
        self.lag_s = 0.0
        """The duration of the engine's last answer about the lease."""

    @property
    def fence(self) -> int | None:
        """The fencing number while this candidate leads; otherwise None."""
        return self._fence if self._clock() < self._until else None

    async def keep_lease(self) -> int | None:
        """Acquire or renew; call about once a second. Returns the fencing number while leading."""
        asked_at = self._clock()
        why_not = self._why_not()
        if why_not:
            self._note_hindrance(f"this gateway must not lead: {why_not}")
            await self.resign()
            return None
        try:
            if self._fence is None:
                granted = await self._lease.acquire(LEASE_NAME, self._holder, self._ttl_s)
                if granted is not None:
                    self._fence = max(granted, self._proven_fence() + 1)
                    _log.info("leading the balancer", fence=self._fence)
            elif self._proven_fence() > self._fence:
                _log.warning("a newer leader is heard", fence=self._fence, newer=self._proven_fence())
                await self.resign()
            elif not await self._lease.renew(LEASE_NAME, self._holder, self._ttl_s):
                _log.warning("lost the balancer's lease", fence=self._fence)
                self._fence = None
        except EngineError as error:
            if str(error) != self._problem:  # the engine is asked each second, and a problem is logged once
                self._problem = str(error)
                _log.warning("the balancer's lease cannot be kept", error=self._problem)
            if self.fence is None:
                self._fence = None
            return self.fence
        self._problem = ""
        self.lag_s = self._clock() - asked_at
        if self._fence is not None:
            self._until = asked_at + self._ttl_s
        self._watch_holder(asked_at)
        return self.fence

    def _watch_holder(self, now: float) -> None:
        """Check if no believed gateway has held the lease for `WAITS` times its length."""
        if self._fence is not None or self._is_led():
            self._waits_since = None
            self._note_hindrance("")
            return
        if self._waits_since is None:
            self._waits_since = now
        if now - self._waits_since >= WAITS * self._ttl_s:
            self._note_hindrance(
                "the balancer's lease is held, and no gateway that this one believes leads: connections are not "
                "balanced; stop the gateways of another version or secret, or change the engine's credentials"
            )

    def _note_hindrance(self, hindrance: str) -> None:
        """Record why no believed gateway leads, and log when this begins and ends."""
        if bool(hindrance) != bool(self.hindrance):
            _log.warning("the balancer does not lead" if hindrance else "the balancer may lead again", why=hindrance)
        self.hindrance = hindrance

    async def resign(self) -> None:
        """Release the lease, so that a new leader begins at once."""
        if self._fence is not None:
            self._fence = None
            try:
                await self._lease.release(LEASE_NAME, self._holder)
            except EngineError as error:
                _log.warning("the balancer's lease was not released; it ends by itself", error=str(error))
