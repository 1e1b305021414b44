"""The number of clients that come by themselves, without moves; late or lost reports do not change it."""

from random import Random

import msgspec
import pytest

from ringway.core.load import LoadView
from ringway.core.load.arrival import PART, Arrivals
from ringway.protocol.beat import TakenCounts
from ringway.types import Incarnation, Issuer
from sample import GATEWAY, name, node_report

N1 = name(1)


def rate_after(reports: list[tuple[float, int, dict[str, int]]], sent_per_s: int = 0, *, steady: bool = False) -> float:
    """Feed n1's reports (when, accepted, redeemed by issuer) beside those of a donor n0; return the rate of n1."""
    view, arrivals = LoadView(GATEWAY), Arrivals()
    donor = node_report("n0")
    view.reported(donor, 0.0)
    for seq, (at, accepted, taken) in enumerate(reports):
        issuers = {Issuer(donor.incarnation if who == "donor" else who): count for who, count in taken.items()}
        view.reported(node_report("n0", seq + 1, moved={N1: int(sent_per_s * at)}), at)
        view.reported(node_report("n1", seq, accepted=accepted, taken=issuers), at)
        arrivals.observe(view.nodes.values(), 0.0)
    return arrivals.steady_per_s(N1) if steady else arrivals.per_s(N1)


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
    assert rate_after(flood, steady=True) < 30
    assert rate_after([(float(second), 50 * second, {}) for second in range(300)], steady=True) > 49


def test_nothing_is_known_of_who_is_not_there() -> None:
    assert Arrivals().per_s(N1) == 0.0


def test_tickets_and_the_donors_counters_may_come_in_any_order() -> None:
    """Whatever comes when, each client is a move once it is known that a donor sent it and the target has it."""
    rng = Random(1)
    donors = [node_report(f"d{index}") for index in range(20)]
    view, arrivals = LoadView(GATEWAY), Arrivals()
    moved, taken, total = [0] * 20, [0] * 20, 0
    for second in range(300):
        for index in rng.sample(range(20), 5):
            moved[index] += rng.randrange(10)
            view.reported(node_report(f"d{index}", second + 2, moved={N1: moved[index]}), float(second))
        for index in rng.sample(range(20), 5):
            taken[index] = rng.randint(taken[index], moved[index])
        tickets = {Issuer(donor.incarnation): count for donor, count in zip(donors, taken, strict=True) if count}
        total = sum(taken) + 7 * second
        view.reported(node_report("n1", second, accepted=total, taken=tickets), float(second))
        arrivals.observe(view.nodes.values(), 0.0)
    assert arrivals.per_s(N1) == pytest.approx(7.0, rel=0.001)


def test_tickets_of_beats_count_as_those_of_whole_reports() -> None:
    """A beat says which counts differ from its introduction; each report may be the one that is compared."""
    rng = Random(2)
    donors = [Issuer(f"{index:08x}") for index in range(12)]
    by_beats, whole = Arrivals(), Arrivals()
    views = LoadView(GATEWAY), LoadView(GATEWAY)
    taken, said = dict.fromkeys(donors[:6], 5), set[Issuer]()
    introduced = dict(taken)
    for second in range(200):
        for issuer in rng.sample(donors, 3):
            taken[issuer] = taken.get(issuer, 0) + rng.randint(1, 3)
            said.add(issuer)
        if second % 7 == 0:
            taken.pop(rng.choice(donors), None)
            said.update(donors)
        if second % 10 == 0:
            introduced, said = dict(taken), set()
        beat = TakenCounts(introduced, {issuer: taken.get(issuer, 0) for issuer in said}) if second % 10 else introduced
        assert beat == taken
        for view, counts in zip(views, (beat, dict(taken)), strict=True):
            for index, issuer in enumerate(donors):
                donor = msgspec.structs.replace(node_report(f"d{index}", second), incarnation=Incarnation(issuer))
                view.reported(msgspec.structs.replace(donor, moved={N1: second + index}), float(second))
            view.reported(node_report("n1", second, accepted=20 * second, taken=counts), float(second))
        if second % 3:
            for arrivals, view in zip((by_beats, whole), views, strict=True):
                arrivals.observe(view.nodes.values(), float(second))
            assert by_beats.per_s(N1) == whole.per_s(N1)
    assert whole.per_s(N1) > 0


def test_many_nodes_are_read_in_parts_with_the_same_outcome() -> None:
    view, whole, parted = LoadView(GATEWAY), Arrivals(), Arrivals()
    nodes = [name(number) for number in range(2 * PART + 1)]
    parts = 0
    for second in range(3):
        for number, each in enumerate(nodes):
            view.reported(node_report(str(each), second + 1, accepted=second * number), float(second))
        whole.observe(view.nodes.values(), 0.0)
        parts = sum(1 for _ in parted.observe_in_parts(view.nodes.values(), 0.0))
    assert parts == 2
    assert [parted.per_s(each) for each in nodes] == [whole.per_s(each) for each in nodes]
    assert parted.per_s(nodes[-1]) > 0
