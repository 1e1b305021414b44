"""The numbers that all benchmarks report."""

import pytest

from report import Claim, percentile


@pytest.mark.parametrize(("share", "value"), [(0, 0), (0.5, 50), (0.99, 99), (1, 99)])
def test_a_percentile_is_one_of_the_values(share: float, value: float) -> None:
    assert percentile(range(100), share) == value


def test_the_percentile_of_one_value_is_that() -> None:
    assert percentile([7.0], 0.5) == percentile([7.0], 0.99) == 7.0


@pytest.mark.parametrize(
    ("claim", "held"),
    [
        (Claim("x", 2.0, at_most=2.0), True),
        (Claim("x", 2.1, at_most=2.0), False),
        (Claim("x", 2.0, at_least=2.0), True),
        (Claim("x", 1.9, at_least=2.0), False),
    ],
)
def test_a_claim_holds_at_its_bound(claim: Claim, held: bool) -> None:
    assert claim.held is held
