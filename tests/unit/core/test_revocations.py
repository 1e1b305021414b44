"""What one member knows of revoked tokens."""

from collections.abc import Iterable
from itertools import permutations

import pytest

from ringway.core.credentials import ANONYMOUS, Credentials
from ringway.core.revocations import Revocations
from ringway.protocol.revocation import Revocation, revocation_problem, rounded_end

NOW, END = 1000.0, 2000.0

TOKEN = Revocation(END, token_id="t1")
USER = Revocation(END, user="carol", issued_before=900.0)
CHANNEL = Revocation(END, user="carol", channel="room", issued_before=950.0)


def knowing(revocations: Iterable[Revocation], size_max: int = 100) -> Revocations:
    known = Revocations(size_max)
    known.learn(revocations, NOW)
    return known


def test_a_token_is_refused_by_its_id_and_no_other_is() -> None:
    known = knowing([TOKEN])
    assert known.revokes("t1", "anybody", NOW)
    assert known.revokes("t1", "", 0.0, "room")
    assert not known.revokes("t2", "anybody", NOW)
    assert not known.revokes("", "t1", 0.0)


@pytest.mark.parametrize(("issued_at", "refused"), [(0.0, True), (899.9, True), (900.0, False), (NOW, False)])
def test_the_tokens_of_a_user_are_refused_that_were_issued_before(issued_at: float, refused: bool) -> None:
    known = knowing([USER])
    assert known.revokes("", "carol", issued_at) is refused
    assert known.revokes("", "carol", issued_at, "room") is refused
    assert not known.revokes("", "dave", issued_at)
    assert not known.revokes("", "", issued_at)


def test_with_a_channel_only_the_subscription_tokens_for_it_are_refused() -> None:
    known = knowing([CHANNEL])
    assert known.revokes("", "carol", 949.0, "room")
    assert not known.revokes("", "carol", 949.0, "hall")
    assert not known.revokes("", "carol", 949.0)


def test_of_a_client_whose_token_says_no_time_the_connect_counts() -> None:
    known = knowing([USER])
    assert known.revokes_bearer(Credentials(user="carol", connected_at=899.0))
    assert not known.revokes_bearer(Credentials(user="carol", connected_at=901.0))
    assert known.revokes_bearer(Credentials(user="carol", connected_at=901.0, issued_at=899.0))
    assert not known.revokes_bearer(ANONYMOUS)


def test_the_later_times_count_in_any_order() -> None:
    later = Revocation(END + 60, user="carol", issued_before=800.0)
    for each in permutations([USER, later]):
        known = knowing(each)
        assert known.page(0, 10)[0] == [Revocation(END + 60, user="carol", issued_before=900.0)]
    assert knowing([USER]).learn([Revocation(END - 60, user="carol", issued_before=1.0)], NOW).fresh == []


def test_members_that_know_the_same_have_the_same_digest() -> None:
    digests = {knowing(each).digest for each in permutations([TOKEN, USER, CHANNEL])}
    assert len(digests) == 1
    assert knowing([TOKEN, USER]).digest not in digests
    assert knowing([USER, USER]).digest == knowing([USER]).digest


def test_a_revocation_is_forgotten_at_its_end_and_not_before() -> None:
    known, none = knowing([TOKEN]), Revocations()
    known.tick(END - 0.1)
    assert known.revokes("t1", "", 0.0)
    known.tick(END)
    assert not known.revokes("t1", "", 0.0)
    assert (len(known), known.digest) == (0, none.digest)
    assert known.learn([TOKEN], END).fresh == []


def test_an_end_that_was_put_off_counts() -> None:
    known = knowing([TOKEN, Revocation(END + 60, token_id="t1")])
    known.tick(END)
    assert known.revokes("t1", "", 0.0)


def test_when_full_nothing_is_added_and_nothing_is_forgotten() -> None:
    known = knowing([TOKEN, USER], size_max=2)
    learned = known.learn([CHANNEL, Revocation(END + 60, token_id="t1")], NOW)
    assert (learned.left_out, len(learned.fresh), len(known)) == (1, 1, 2)
    assert known.revokes("t1", "", 0.0)
    assert not known.revokes("", "carol", 949.0, "room")
    known.tick(END)
    assert known.learn([CHANNEL], NOW).left_out == 0


def test_pages_have_all_that_came_after_a_number() -> None:
    many = [Revocation(END, token_id=f"t{number}") for number in range(10)]
    known, pages, after = knowing(many), [], 0
    while True:
        page, after, is_last = known.page(after, 3)
        pages.append(page)
        if is_last:
            break
    assert [each for page in pages for each in page] == many
    known.learn([USER], NOW)
    assert known.page(after, 3) == ([USER], 11, True)
    assert known.page(11, 3) == ([], 11, True)


@pytest.mark.parametrize(
    ("revocation", "what"),
    [
        (Revocation(END), "by its id, or of a user"),
        (Revocation(END, token_id="t", user="u"), "by its id, or of a user"),
        (Revocation(END, token_id="t" * 257), "id of a token has 257"),
        (Revocation(END, user="u" * 257), "user has 257"),
        (Revocation(END, token_id="t", channel="room"), "without a user"),
        (Revocation(float("nan"), token_id="t"), "not a number"),
        (Revocation(END, user="u", issued_before=float("inf")), "not a number"),
    ],
)
def test_what_cannot_be_revoked_is_refused_with_a_reason(revocation: Revocation, what: str) -> None:
    assert what in revocation_problem(revocation)


def test_ends_are_whole_minutes_that_are_not_earlier() -> None:
    assert (rounded_end(60.0), rounded_end(60.1), rounded_end(0.5)) == (60.0, 120.0, 60.0)
    assert rounded_end(1e18) < 1e12
