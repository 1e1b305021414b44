"""The checker's judgements, one violation after the other, on histories that fit on a screen."""

import pytest

from ringway.testing.delivery import Finding, Order, Outcome, Published, Seen, Witness, give_verdict, judge

CHANNEL = "room"


def publications(*outcomes: Outcome, publisher: int = 1, into: Published | None = None) -> Published:
    """One publication a second from 10 s on."""
    published = into or Published()
    for second, outcome in enumerate(outcomes, 10):
        number = published.begin(CHANNEL, publisher, float(second))
        published.settle(CHANNEL, publisher, number, outcome, second + 0.1)
    return published


def acked(count: int) -> Published:
    return publications(*[Outcome.ACKED] * count)


def told(seen: Seen, *numbers: int, at: float | None = None, publisher: int = 1, offsets: bool = False) -> Seen:
    """Deliver `numbers`, each when it was published, or `at` one time; offsets are the numbers plus 100."""
    for number in numbers:
        seen.deliver(publisher, number, 100 + number if offsets else 0, 10.5 + number if at is None else at)
    return seen


def subscribed(at: float = 1.0, *, epoch: str = "", offset: int = 0) -> Seen:
    seen = Seen(CHANNEL)
    seen.subscribe(at, epoch=epoch, offset=offset)
    return seen


def counts(finding: Finding) -> dict[str, int]:
    """The counts that are not zero, beside deliveries."""
    names = ("lost_prefix", "lost_middle", "lost_postfix", "announced", "silent", "doubled", "reordered")
    names += ("unexpected", "recovered", "unrecovered", "away")
    return {name: value for name in names if (value := getattr(finding, name))}


def test_all_that_was_published_once_and_in_order_is_in_order():
    finding = judge(told(subscribed(), *range(5)), acked(5))
    assert counts(finding) == {}
    assert finding.delivered == 5
    assert not finding.is_bad


@pytest.mark.parametrize(
    ("numbers", "where"),
    [((1, 2, 3), "lost_prefix"), ((0, 2, 3), "lost_middle"), ((0, 1, 2), "lost_postfix"), ((), "lost_prefix")],
)
def test_a_loss_is_silent_and_says_where_it_was(numbers, where):
    finding = judge(told(subscribed(), *numbers), acked(4))
    assert counts(finding) == {where: 4 - len(numbers), "silent": 4 - len(numbers)}
    assert finding.is_bad
    assert "lost" in finding.examples[0]


def test_what_began_before_the_subscription_is_not_owed():
    assert counts(judge(told(subscribed(12.5), 3, 4), acked(5))) == {}
    assert counts(judge(told(subscribed(12.5), 2, 3, 4), acked(5))) == {}, "it may come all the same"
    assert counts(judge(told(subscribed(12.5), 1, 3, 4), acked(5))) == {"lost_middle": 1, "silent": 1}


def test_the_position_of_a_subscription_says_what_is_owed_more_exactly_than_its_time():
    published = acked(5)
    order = Order()
    order.learn(told(subscribed(epoch="e"), *range(5), offsets=True))
    late = told(subscribed(12.5, epoch="e", offset=101), 3, 4, offsets=True)
    assert counts(judge(late, published, order)) == {"lost_prefix": 1, "silent": 1}
    later = told(subscribed(12.5, epoch="e", offset=102), 3, 4, offsets=True)
    assert counts(judge(later, published, order)) == {}


def test_doubled_and_reordered_are_told_apart():
    assert counts(judge(told(subscribed(), 0, 1, 1, 2), acked(3))) == {"doubled": 1}
    assert counts(judge(told(subscribed(), 0, 2, 1), acked(3))) == {"reordered": 1}
    assert counts(judge(told(subscribed(), 1, 0, 2), acked(3))) == {"reordered": 1}
    assert counts(judge(told(subscribed(), 1, 0, 0, 2), acked(3))) == {"reordered": 1, "doubled": 1}


def test_an_offset_that_does_not_grow_is_reordered_though_the_numbers_of_each_publisher_do():
    published = publications(*[Outcome.ACKED] * 2, publisher=2, into=acked(2))
    seen = subscribed(epoch="e")
    for publisher, number, offset in ((1, 0, 5), (2, 0, 7), (1, 1, 6), (2, 1, 8)):
        seen.deliver(publisher, number, offset, 20.0)
    assert counts(judge(seen, published)) == {"reordered": 1}


def test_what_was_not_sent_or_was_refused_is_unexpected_and_what_was_not_answered_is_recovered():
    published = publications(Outcome.ACKED, Outcome.REFUSED, Outcome.UNKNOWN)
    assert counts(judge(told(subscribed(), 0, 1, 2, 3), published)) == {"unexpected": 2, "recovered": 1}
    assert counts(judge(told(subscribed(), 0), published)) == {}, "neither is owed"
    stranger = told(told(subscribed(), 0), 0, publisher=9)
    assert counts(judge(stranger, published)) == {"unexpected": 1}
    unreadable = told(told(subscribed(), 0), 0, publisher=-1)
    assert counts(judge(unreadable, published)) == {"unexpected": 1}


def test_a_loss_is_announced_by_coming_back_without_recovery():
    seen = told(subscribed(), 0, 1)
    seen.close(12.0, 1012)
    seen.subscribe(13.5)
    told(seen, 4, 5)
    finding = judge(seen, acked(6))
    assert counts(finding) == {"lost_middle": 2, "announced": 2, "unrecovered": 1}
    assert finding.back_s == [1.5]
    assert not finding.is_bad


def test_a_recovery_announces_nothing():
    seen = told(subscribed(epoch="e"), 0, 1)
    seen.close(12.0, 1012)
    seen.subscribe(13.5, epoch="e", recovered=True)
    told(seen, 4, 5)
    assert counts(judge(seen, acked(6))) == {"lost_middle": 2, "silent": 2}


def test_a_recovery_into_another_epoch_is_unexpected():
    seen = told(subscribed(epoch="e"), 0, 1)
    seen.close(12.0, 1012)
    seen.subscribe(13.5, epoch="f", recovered=True)
    told(seen, 2, 3)
    assert counts(judge(seen, acked(4))) == {"unexpected": 1}


def test_coming_back_excuses_neither_a_hole_before_nor_what_began_after():
    seen = told(subscribed(), 0, 2)
    seen.close(13.0, 1006)
    seen.subscribe(14.5, recovered=False)
    told(seen, 6)
    assert counts(judge(seen, acked(7))) == {
        "lost_middle": 4,  # 1 is a hole, 3 and 4 are announced, 5 began after the return
        "announced": 2,
        "silent": 2,
        "unrecovered": 1,
    }


def test_who_does_not_come_back_is_away_and_lost_nothing_more():
    seen = told(subscribed(), 0, 1)
    seen.close(12.0, 1006)
    assert counts(judge(seen, acked(4))) == {"lost_postfix": 2, "announced": 2, "away": 1}
    assert judge(seen, acked(4)).is_bad
    assert counts(judge(Seen(CHANNEL), acked(4))) == {"away": 1}


def test_a_publication_that_somebody_found_in_history_is_owed_to_all():
    published = publications(Outcome.ACKED, Outcome.UNKNOWN, Outcome.ACKED)
    one = told(subscribed(epoch="e"), 0, 1, 2, offsets=True)
    two = told(subscribed(epoch="e"), 0, 2, offsets=True)
    witnesses = [Witness("one", seen=[one]), Witness("two", seen=[two])]
    verdict = give_verdict(witnesses, published)
    assert verdict.published == {"unknown": 0, "acked": 2, "refused": 0, "stored": 1}
    assert verdict.sums.silent == 1
    assert list(verdict.victims) == ["two"]


def test_one_position_holds_one_publication_for_everybody():
    one = told(subscribed(epoch="e"), 0, 1, offsets=True)
    two = subscribed(epoch="e")
    two.deliver(1, 0, 100, 20.0)
    two.deliver(1, 1, 107, 21.0)
    three = subscribed(epoch="e")
    three.deliver(1, 1, 100, 21.0)
    witnesses = [Witness(name, seen=[seen]) for name, seen in (("one", one), ("two", two), ("three", three))]
    verdict = give_verdict(witnesses, acked(2))
    assert verdict.divergent == 1
    assert "offset 100" in verdict.victims["positions"][0]
    assert any("two publications" in fault for fault in verdict.faults())


def test_the_longest_silence_is_that_in_which_there_was_something_to_deliver():
    seen = subscribed()
    told(seen, 0, at=10.2)
    told(seen, 1, at=13.0)  # began at 11
    told(seen, 2, at=13.1)  # began at 12, but the line was not silent since 13.0
    published = acked(3)
    assert judge(seen, published).silence_s == pytest.approx(2.0)
    assert judge(seen, published, since=12.5).silence_s == pytest.approx(0.5)
    assert judge(seen, published, since=13.05).silence_s == pytest.approx(0.05)


def test_the_verdict_adds_up_and_becomes_json():
    good = Witness("good", seen=[told(subscribed(), 0, 1)])
    bad = Witness("bad", closes=[(11.0, 1006, "")], seen=[told(subscribed(), 0)])
    published = acked(2)
    whole = give_verdict([], published, Order())
    for part in (give_verdict([good], published), give_verdict([bad], published)):
        whole.merge(part)
    assert whole.faults() == ["lost silently: 1", "lost: 1"]
    assert whole.faults(may_announce=True) == ["lost silently: 1"]
    said = whole.as_json({"seed": 7})
    assert said["settings"] == {"seed": 7}
    assert (said["clients"], said["delivered"], said["lost"], said["silent"]) == (2, 3, 1, 1)
    assert said["closes"] == {"1006": 1}
    assert said["closed_clients"] == 1
    assert said["silence_ms"]["count"] == 2
    assert list(said["victims"]) == ["bad"]
    assert said["published"]["acked"] == 2


def test_a_run_without_a_delivery_proves_nothing():
    assert give_verdict([], acked(2)).faults() == ["nothing was delivered: this proves nothing"]


def test_two_publishers_cannot_have_one_id():
    published = acked(2)
    published.merge(publications(Outcome.ACKED, publisher=2))
    assert len(published.runs(CHANNEL)) == 2
    with pytest.raises(ValueError, match="two publishers have one id"):
        published.merge(acked(1))
