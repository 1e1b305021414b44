"""Backoff before a repetition: exponential, with full jitter.

Full jitter draws from the whole interval, which spreads a crowd best (AWS architecture blog, "Exponential Backoff
and Jitter"). The first retry is drawn as well: a crowd is cut off at one moment.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random

BASE_S = 0.5
CAP_S = 20.0


def longest_delay_s(attempt: int, *, base_s: float = BASE_S, cap_s: float = CAP_S) -> float:
    """Return the bound up to which the pause before retry number `attempt` (0 is the first) is drawn."""
    return min(cap_s, base_s * 2.0 ** min(attempt, 32))


def next_delay_s(attempt: int, rng: "Random", *, base_s: float = BASE_S, cap_s: float = CAP_S) -> float:
    """Return the pause before retry number `attempt`, uniform in 0 to `longest_delay_s`."""
    return rng.uniform(0.0, longest_delay_s(attempt, base_s=base_s, cap_s=cap_s))
