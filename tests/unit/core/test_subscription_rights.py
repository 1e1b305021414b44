"""Rights of a subscription that a token or the server gave."""

import math

import pytest

from ringway.core.subscription_rights import SubscriptionRights, rights_problem


def test_the_usual_ones_have_no_problem() -> None:
    assert rights_problem(SubscriptionRights()) == ""
    assert rights_problem(SubscriptionRights(b'{"a":1}', 5.0, is_server_side=True)) == ""


@pytest.mark.parametrize(
    ("rights", "words"),
    [
        (SubscriptionRights(b"1" * 4097), "4097 bytes; at most 4096"),
        (SubscriptionRights(b"[1,\n2]"), "not JSON on one line"),
        (SubscriptionRights(expires_at=math.nan), "not a number"),
    ],
    ids=["long", "two lines", "no time"],
)
def test_a_bound_is_named(rights: SubscriptionRights, words: str) -> None:
    assert words in rights_problem(rights)
