"""Schedule of knocks: who is knocked at, how many at once, and when again."""

import random

from ringway.core.knock import FIRST_WITHIN_S, KNOCKS_MAX, PAUSE_CAP_S, REPEATS_MAX, UNREACHABLE, Knock, KnockSchedule
from ringway.core.knock_judgement import judge_answer, judge_refusal, judge_silence
from ringway.protocol.knock import Answered
from ringway.protocol.response import error_body
from ringway.types import Incarnation, NodeName


def knock(name: str = "n1", incarnation: str = "0000000a", url: str = "ws://n1/") -> Knock:
    return Knock(NodeName(name), Incarnation(incarnation), url)


def schedule() -> KnockSchedule:
    return KnockSchedule(random.Random(1))


def test_a_node_is_knocked_at_once_and_once() -> None:
    made = schedule()
    made.want(knock())
    made.want(knock())
    [attempt] = made.due(0.0)
    assert attempt.knock == knock()
    assert made.due(0.0) == []
    assert made.answered(attempt)
    assert len(made) == 0
    assert made.next_due() is None


def test_a_new_incarnation_and_a_new_url_are_knocked_anew_and_old_answers_count_no_more() -> None:
    made = schedule()
    made.want(knock())
    [old] = made.due(0.0)
    made.want(knock(incarnation="0000000b"))
    [new] = made.due(0.0)
    assert not made.answered(old)
    assert made.answered(new)
    made.want(knock(incarnation="0000000b", url="ws://other/"))
    assert [attempt.knock.url for attempt in made.due(0.0)] == ["ws://other/"]


def test_failures_are_repeated_with_growing_pauses_and_more_time() -> None:
    made = schedule()
    made.want(knock())
    now, within = 0.0, []
    for _ in range(12):
        [attempt] = made.due(now)
        within.append(attempt.within_s(7.0))
        made.failed(attempt, UNREACHABLE, now)
        due = made.next_due()
        assert due is not None
        assert now <= due <= now + PAUSE_CAP_S
        assert due == now or made.due(due - 1e-6) == []
        now = due
    assert within[:4] == [FIRST_WITHIN_S, 2.0, 4.0, 7.0]


def test_each_kind_of_failure_is_told_once_and_being_out_of_reach_when_it_is_repeated() -> None:
    made = schedule()
    made.want(knock())
    told = []
    now = 0.0
    for kind in (UNREACHABLE, UNREACHABLE, UNREACHABLE, "refused", "refused", UNREACHABLE):
        [attempt] = made.due(now)
        told.append(made.failed(attempt, kind, now))
        now += PAUSE_CAP_S
    assert told == [False, True, False, True, False, False]


def test_few_are_under_way_and_repetitions_leave_room_for_new_nodes() -> None:
    made = schedule()
    for index in range(40):
        made.want(knock(f"n{index}"))
    seen = 0
    while attempts := made.due(0.0):
        assert len(attempts) <= KNOCKS_MAX
        seen += len(attempts)
        for attempt in attempts:
            made.failed(attempt, UNREACHABLE, 0.0)
    assert seen == 40
    later = 2 * PAUSE_CAP_S
    assert len(made.due(later)) == REPEATS_MAX
    assert made.next_due() is None
    made.want(knock("new"))
    assert [attempt.knock.name for attempt in made.due(later)] == ["new"]


def test_a_node_that_left_is_not_knocked_again() -> None:
    made = schedule()
    made.want(knock())
    made.want(knock("n2"))
    first, second = made.due(0.0)
    made.failed(first, UNREACHABLE, 0.0)
    made.forget(NodeName("n1"))
    made.forget(NodeName("n2"))
    assert not made.answered(second)
    assert made.due(100.0) == []
    assert made.under_way == 0


def test_a_node_that_comes_back_while_its_knock_is_under_way_is_knocked_again() -> None:
    made = schedule()
    made.want(knock())
    [old] = made.due(0.0)
    made.forget(NodeName("n1"))
    made.want(knock())
    [new] = made.due(0.0)
    assert made.answered(old)  # it says as much
    assert not made.answered(new)
    assert made.under_way == 0


def answered(name: str = "n1", incarnation: str = "0000000a", *, proven: bool = True) -> Answered:
    return Answered(NodeName(name), Incarnation(incarnation), proven)


def test_verdicts_name_what_is_wrong_and_the_remedy() -> None:
    assert judge_answer(knock(), answered()).kind == ""
    cases = {
        judge_answer(knock(), None): ("no_proof", "--url"),
        judge_answer(knock(), answered(proven=False)): ("secret", "the same secret"),
        judge_answer(knock(), answered("n2")): ("another", "n2; give each node its own --url"),
        judge_answer(knock(), answered(incarnation="0000000b")): ("another", "0000000b in place of 0000000a"),
        judge_refusal(403, b'{"error": "the knock was not"}'): ("refused", "403 (the knock was not); give all"),
        judge_refusal(404, b"<html>"): ("refused", "with 404; no node serves that path"),
        judge_refusal(302, b""): ("refused", "redirect 302"),
        judge_refusal(418, b'{"error": 7}'): ("refused", "418; correct the node's --url"),
        judge_silence("the node does not accept connections"): (UNREACHABLE, "does not accept connections"),
    }
    for verdict, (kind, part) in cases.items():
        assert verdict.kind == kind
        assert part in verdict.why


def test_the_remedy_that_a_node_says_for_its_refusal_is_not_repeated() -> None:
    own = "the knock was not made with this node's secret; give all members the same secret"
    assert judge_refusal(403, error_body(own)).why == f"refuses the knock with 403 ({own})"
    host = "this server is not known as x; list the name in allowed_hosts"
    assert "secret" not in judge_refusal(403, error_body(host)).why
    lost = judge_refusal(404, error_body("there is nothing here; the WebSocket is at /ws")).why
    assert "is at /ws); no node serves that path; correct the path" in lost
