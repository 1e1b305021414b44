"""The generic cell rate algorithm admits what a token bucket and a leaky bucket admit.

Times are multiples of 2^-6 s and rates powers of two, so that both models compute without rounding and ties count.
"""

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringway.core.address import EXEMPT
from ringway.core.admission_slots import BURST_S as SLOTS_BURST_S
from ringway.core.admission_slots import AdmissionSlots
from ringway.core.handshake_limiter import BURST_S, TICKETS_S, HandshakeLimiter
from ringway.core.rate import TokenBucket

RATES = st.sampled_from([0.25, 1.0, 8.0, 64.0])
BURSTS = st.integers(1, 200)
GAPS = st.sampled_from([0.0, 0.0, 0.0, 1 / 64, 0.25, 1.0, 30.0, 4096.0])
CALLS = st.lists(st.tuples(GAPS, st.sampled_from(["take", "some", "charge", "debt"]), st.integers(1, 150)), max_size=60)


class Tokens:
    """A token bucket that counts tokens."""

    def __init__(self, rate_per_s: float, burst: float) -> None:
        self.rate_per_s, self.burst, self.tokens, self.at = rate_per_s, burst, float(burst), 0.0

    def refill(self, now: float) -> None:
        self.tokens = min(self.burst, self.tokens + (now - self.at) * self.rate_per_s)
        self.at = now

    def call(self, name: str, now: float, count: int) -> float:
        self.refill(now)
        if name == "debt":
            return max(0.0, -self.tokens / self.rate_per_s)
        taken = {"take": count if self.tokens >= count else 0, "some": min(count, max(0, int(self.tokens)))}
        self.tokens -= taken.get(name, count)
        return taken.get(name, count)


@given(RATES, BURSTS, CALLS)
def test_the_bucket_admits_what_a_bucket_of_tokens_admits(
    rate: float, burst: int, calls: list[tuple[float, str, int]]
) -> None:
    now = 0.0
    bucket, tokens = TokenBucket(rate, burst, now), Tokens(rate, burst)
    for gap, name, count in calls:
        now += gap
        match name:
            case "take":
                given = count * bucket.take_tokens(now, count)
            case "some":
                given = bucket.take_some(now, count)
            case "charge":
                bucket.charge(now, count)
                given = count
            case _:
                given = bucket.debt_s(now)
        assert given == tokens.call(name, now, count)


@given(st.sampled_from([1.0, 8.0, 64.0]), st.lists(st.tuples(GAPS, st.booleans()), max_size=300))
def test_the_limiter_admits_what_a_leaky_bucket_admits(rate: float, asks: list[tuple[float, bool]]) -> None:
    now, at, level_s = 0.0, 0.0, 0.0
    limiter = HandshakeLimiter(now)
    for gap, ticket in asks:
        now += gap
        level_s, at = max(0.0, level_s - (now - at)), now
        admitted = level_s < BURST_S + (TICKETS_S if ticket else 0.0)
        level_s += admitted / rate
        assert limiter.admit(now, rate, ticket=ticket, address=EXEMPT) is admitted


@given(
    st.sampled_from([1.0, 8.0, 64.0]),
    st.lists(st.tuples(GAPS, st.sampled_from(["take", "small", "away", "back"])), max_size=200),
)
def test_slots_are_those_of_a_queue_that_keeps_its_first_free_slot(rate: float, asks: list[tuple[float, str]]) -> None:
    queue, interval, horizon_s = AdmissionSlots(), 1.0 / rate, 10.0
    queue.per_s = rate
    now, first, small, away = 0.0, -inf, -inf, -inf
    for gap, name in asks:
        now += gap
        if name == "back":
            queue.give_back(now, 2.0)
            first = max(now - SLOTS_BURST_S, first - 2.0 * interval)
        elif name == "away":
            turn = min(max(away, first, now + horizon_s), now + 60.0 + horizon_s / 2)
            away = turn + interval
            assert queue.turn_away(now, horizon_s) == pytest.approx(turn - now - horizon_s / 2, abs=1e-6)
        else:
            slot, ahead = max(first, now - SLOTS_BURST_S), max(small, now)
            jumps = name == "small" and ahead < slot - 1e-9
            wait_s = (ahead if jumps else slot) - now
            if abs(wait_s - horizon_s) < 1e-6 or (name == "small" and abs(ahead - slot) < 1e-6):
                return  # a tie, which rounding decides
            taken = queue.take_slot(now, horizon_s, small=name == "small")
            assert (taken is None) is (wait_s > horizon_s)
            if taken is not None:
                assert taken == pytest.approx(max(0.0, wait_s), abs=1e-6)
                small = ahead + interval if jumps else small
                first = slot + interval
