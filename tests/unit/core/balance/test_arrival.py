"""How many clients come by themselves: moves are not counted, and late or lost reports make no difference."""

import pytest

from ringway.core.balance.arrival import STEADY_S, TAU_S, Arrivals
from ringway.core.load import LoadView
from ringway.types import Issuer
from sample import GATEWAY, name, node_report

N1 = name(1)


def rate_after(reports: list[tuple[float, int, dict[str, int]]], sent_per_s: int = 0, tau_s: float = TAU_S) -> float:
    """Feed n1's reports (when, accepted, redeemed by issuer) beside those of a donor n0; return the rate of n1."""
    view, arrivals = LoadView(GATEWAY), Arrivals(tau_s)
    donor = node_report("n0")
    view.reported(donor, 0.0)
    for seq, (at, accepted, taken) in enumerate(reports):
        issuers = {Issuer(donor.incarnation if who == "donor" else who): count for who, count in taken.items()}
        view.reported(node_report("n0", seq + 1, moved={N1: int(sent_per_s * at)}), at)
        view.reported(node_report("n1", seq, accepted=accepted, taken=issuers), at)
        arrivals.observe(view.nodes.values())
    return arrivals.per_s(N1)


def test_a_steady_stream_is_measured() -> None:
    assert rate_after([(float(second), 50 * second, {}) for second in range(60)]) == pytest.approx(50, rel=0.01)


def test_moved_clients_do_not_count_but_those_of_gateways_do() -> None:
    reports = [(float(s), 50 * s, {"donor": 30 * s, "aaaaaaaa": 15 * s}) for s in range(60)]
    assert rate_after(reports, sent_per_s=30) == pytest.approx(20, rel=0.01)


def test_newcomers_that_claim_the_places_of_clients_that_come_as_well_do_count() -> None:
    """Twenty clients a second were sent; of the forty tickets of the donor that come back, half are claims."""
    reports = [(float(s), 50 * s, {"donor": 40 * s}) for s in range(60)]
    assert rate_after(reports, sent_per_s=20) == pytest.approx(30, rel=0.01)


def test_reports_that_are_lost_leave_no_trace() -> None:
    reports = [(float(second), 50 * second, {}) for second in range(60) if second % 3]
    assert rate_after(reports) == pytest.approx(50, rel=0.01)


def test_what_was_there_at_first_is_no_flood_and_an_end_is_seen() -> None:
    assert rate_after([(0.0, 100_000, {}), (1.0, 100_000, {})]) == 0.0
    reports = [(float(second), 50 * min(second, 30), {}) for second in range(60)]
    assert rate_after(reports) < 1.0


def test_over_a_minute_a_flood_of_seconds_hardly_counts_and_a_steady_stream_does() -> None:
    flood = [(float(second), 50 * second + 400 * min(second, 3), {}) for second in range(6)]
    assert rate_after(flood) > 150
    assert rate_after(flood, tau_s=STEADY_S) < 30
    assert rate_after([(float(second), 50 * second, {}) for second in range(300)], tau_s=STEADY_S) > 49


def test_nothing_is_known_of_who_is_not_there() -> None:
    assert Arrivals().per_s(N1) == 0.0
