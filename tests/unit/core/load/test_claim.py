"""Claims: two gateways that do not hear of each other's give each place once."""

from collections import Counter

from msgspec.structs import replace

from ringway.core.load.claim import Claims
from ringway.protocol.report import Report
from ringway.types import Incarnation, Issuer, NodeName, Role

TARGET = NodeName("node-9")


def donor(number: int, held: int) -> Report:
    return Report(
        name=NodeName(f"node-{number}"), incarnation=Incarnation(f"{number:08x}"), role=Role.NODE, seq=1, url="",
        reserved={TARGET: held},
    )  # fmt: skip


def take(claims: Claims, donors: list[Report]) -> str:
    issuer, target = next(iter(claims.unclaimed([(donor, donor.reserved) for donor in donors])))
    claims.claim(issuer, target, 0.0)
    return str(issuer)


def test_two_gateways_give_the_places_of_all_donors() -> None:
    donors = [donor(number, 4) for number in range(5)]
    gateways = [Claims(), Claims()]
    given = Counter(take(gateways[turn % 2], donors) for turn in range(20))
    assert given == {donor.incarnation: 4 for donor in donors}


def test_no_place_is_given_twice_by_one_gateway() -> None:
    donors = [donor(number, number) for number in range(5)]
    claims = Claims()
    given = Counter(take(claims, donors) for _ in range(10))
    assert given == {donor.incarnation: donor.reserved[TARGET] for donor in donors if donor.reserved[TARGET]}
    assert not list(claims.unclaimed([(donor, donor.reserved) for donor in donors]))


def test_places_that_were_redeemed_since_are_not_given() -> None:
    """Their clients have come, with tickets of their own; or whoever claimed them has."""
    told, claims = donor(1, 3), Claims()
    issuer = Issuer(told.incarnation)
    assert list(claims.unclaimed([(told, {TARGET: 1})])) == [(issuer, TARGET)]
    assert list(claims.unclaimed([(told, {TARGET: 0})])) == []
    claims.claim(issuer, TARGET, 0.0)
    claims.claim(issuer, TARGET, 0.0)
    assert list(claims.unclaimed([(told, {TARGET: 1})])) == [(issuer, TARGET)]  # both claims have come
    assert list(claims.unclaimed([(told, {TARGET: 2})])) == [(issuer, TARGET)]  # one has
    claims.claim(issuer, TARGET, 0.0)
    assert list(claims.unclaimed([(told, {TARGET: 2})])) == []


def test_places_that_ended_before_a_claim_do_not_end_it() -> None:
    claims = Claims()
    issuer = Issuer(donor(1, 0).incarnation)
    claims.settle(replace(donor(1, 3), moved={TARGET: 10}))
    claims.claim(issuer, TARGET, 0.0)
    claims.settle(replace(donor(1, 1), moved={TARGET: 8}))
    assert list(claims.unclaimed([(donor(1, 1), {TARGET: 1})])) == []
    claims.settle(replace(donor(1, 1), moved={TARGET: 9}))
    assert list(claims.unclaimed([(donor(1, 1), {TARGET: 1})])) == [(issuer, TARGET)]
