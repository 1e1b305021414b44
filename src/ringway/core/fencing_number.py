"""Fencing numbers of leases, and their bound.

Engines take the numbers from their clocks. A stored number beyond any clock comes from data that somebody has changed
at the engine, and no member has led by it. It counts as none: else nobody could lead until somebody removes it. The
next number comes from the engine's clock, and is above all that members have led by.
"""

from ringway.errors import EngineUnsuitable

CLOCK_AHEAD_S = 86_400.0
"""How far the clock of an engine may be ahead of ours."""

TTL_S_MAX = 60.0
"""The longest time for which a member acquires a lease (`lease_s`); a longer lease counts as one of this length."""

IMPOSSIBLE = (
    "somebody has written a number of a lease that no clock of today gives; it counts as none: change the engine's "
    "credentials, if no operator did that"
)
"""The line of the log about such a number."""


def is_possible(fence: int, fence_max: int) -> bool:
    """Return True if `fence`, the stored number of a lease, can be one of today."""
    return 0 <= fence <= fence_max


def check_fence(name: str, fence: int, fence_max: int) -> None:
    """Raise `EngineUnsuitable` if `fence`, the new number of the lease `name`, cannot be one of today.

    A member that obeyed its holder would obey no holder after it.
    """
    if not is_possible(fence, fence_max):
        raise EngineUnsuitable(
            f"the engine numbers the lease {name!r} {fence}, which no clock of today gives; set the clocks of the "
            "engine's machines, and of this one"
        )
