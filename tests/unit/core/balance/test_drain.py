"""Drains by a deadline: judged before, paced evenly, known to every leader."""

import math
import re

import pytest

from ringway.core.balance.config import BalanceConfig
from ringway.core.balance.drain import DONE_AT, START_S, Deadlines, judge_drain
from ringway.core.balance.pace import MoveLimits
from ringway.core.balance.share import NodeSnapshot
from ringway.core.load import LoadView
from ringway.protocol.order import DrainAnswer
from ringway.types import NodeName
from sample import GATEWAY, name, node_report

CONFIG = BalanceConfig()
N0, N1 = name(0), name(1)


def nodes(*loads: int, room: float = math.inf) -> list[NodeSnapshot]:
    return [NodeSnapshot(name(index), 1.0, load, load, active=True, room=room) for index, load in enumerate(loads)]


def judge(within_s: float, limits: MoveLimits, standings: list[NodeSnapshot] | None = None) -> DrainAnswer:
    return judge_drain(N0, within_s, standings or nodes(900, 900, 900), limits, CONFIG)


def test_what_can_be_met_is_paced_evenly() -> None:
    judged = judge(60.0, MoveLimits(total=50.0))
    assert judged == DrainAnswer(
        why="", connections=900, moves_per_s=pytest.approx(900 / 54), needs_s=pytest.approx(54.0)
    )


def test_what_cannot_is_refused_with_the_time_and_the_rate_that_would_do() -> None:
    judged = judge(20.0, MoveLimits(total=50.0))
    assert judged.needs_s == pytest.approx(START_S + 900 / 50 / DONE_AT)
    assert judged.why == (
        "900 connections cannot leave n0 within 20 s: 50 moves a second are safe, which needs 22 s; allow that, or "
        "raise the limits to 56 a second"
    )
    assert judge(22.0, MoveLimits(total=50.0)).why == ""
    assert judge(20.0, MoveLimits(total=56.0)).why == ""


def test_no_limit_is_named_where_none_would_do() -> None:
    """A drain needs some time to begin: 4 connections at 5 a second do not leave within 1 s at any rate."""
    judged = judge(1.0, MoveLimits(total=5.0), nodes(4, 4))
    assert judged.why == (
        "4 connections cannot leave n0 within 1 s: 5 moves a second are safe, which needs 3 s (a drain takes 2 s to "
        "begin, whatever the limits are); allow that"
    )
    assert judge(3.0, MoveLimits(total=5.0), nodes(4, 4)).why == ""


@pytest.mark.parametrize("count", [1, 4, 5, 9, 40])
@pytest.mark.parametrize("rate", [0.4, 4.6, 5.0])
def test_the_rate_that_would_do_is_above_the_safe_rate_and_does(count: int, rate: float) -> None:
    judged = judge(2.5, MoveLimits(total=rate), nodes(count, count))
    found = re.search(r"([\d.]+) moves a second are safe, .* raise the limits to (\d+) a second", judged.why)
    if found is None:
        assert judged.why == ""
        return
    safe, enough = float(found[1]), int(found[2])
    assert safe <= rate < enough
    assert judge(2.5, MoveLimits(total=float(enough)), nodes(count, count)).why == ""


def test_the_slowest_target_sets_the_pace() -> None:
    """Each of two gets half: with 10 a second for one of them, 20 are safe."""
    assert judge(0.0, MoveLimits(total=50.0, targets={N1: 10.0})).moves_per_s == pytest.approx(20.0)
    assert judge(0.0, MoveLimits(total=50.0, donor=15.0)).moves_per_s == 15.0


def test_a_few_are_not_spread_over_minutes() -> None:
    judged = judge(60.0, MoveLimits(total=50.0), nodes(50, 900))
    assert (judged.moves_per_s, judged.needs_s) == (CONFIG.moves_per_s_min, 10.0)
    deadlines = Deadlines()
    deadlines.observe(view_of_drain(60.0, now=0.0, connections=50).nodes.values(), 0.0)
    assert deadlines.rates([NodeSnapshot(N0, 1.0, 50, 50, active=False)], 0.0, 1.0, 5.0) == {N0: 5.0}


def test_other_drains_take_their_part_of_the_rate() -> None:
    assert judge(0.0, MoveLimits(total=50.0, due={N1: 20.0, N0: 40.0})).moves_per_s == 30.0


def test_without_a_deadline_nothing_is_too_slow() -> None:
    assert judge(0.0, MoveLimits(total=1.0)).why == ""


def test_no_room_no_drain() -> None:
    assert "no room for the 900 connections of n0" in judge(0.0, MoveLimits(50.0), nodes(900)).why
    assert "no room for the 900 connections of n0" in judge(0.0, MoveLimits(50.0), nodes(900, 100, room=0)).why
    assert "room for 500 of the 900 connections of n0" in judge(0.0, MoveLimits(50.0), nodes(900, 0, room=500)).why


def test_targets_that_are_flooded_take_none() -> None:
    assert "busy with clients that come by themselves" in judge(60.0, MoveLimits(50.0, targets={N1: 0.0})).why


def test_an_empty_node_drains_in_no_time() -> None:
    assert judge(0.5, MoveLimits(total=1.0), nodes(0, 900)) == DrainAnswer(
        why="", connections=0, moves_per_s=0.0, needs_s=0.0
    )


def view_of_drain(left_s: float, *, now: float, seq: int = 1, connections: int = 900) -> LoadView:
    view = LoadView(GATEWAY)
    view.reported(node_report("n0", seq, draining=True, connections=connections, drain_left_s=left_s), now)
    return view


def rate(deadlines: Deadlines, view: LoadView, now: float, movable: int) -> float | None:
    deadlines.observe(view.nodes.values(), now)
    standing = NodeSnapshot(N0, 1.0, movable, movable, active=False)
    return deadlines.rates([standing], now, 1.0).get(N0)


def test_the_rate_is_the_same_from_begin_to_end() -> None:
    """60 s by report: done after 54, at 900 / 54 a second all the while, though the report's time left jitters."""
    deadlines = Deadlines()
    left = 900.0
    for second in range(54):
        view = view_of_drain(60.0 - second + 0.3 * math.sin(second), now=float(second))
        now_rate = rate(deadlines, view, float(second), round(left))
        assert now_rate == pytest.approx(900 / 54, rel=0.1)
        assert now_rate is not None
        left -= now_rate
    assert abs(left) < 20


def test_a_new_leader_takes_the_deadline_from_the_report() -> None:
    deadlines = Deadlines()
    assert rate(deadlines, view_of_drain(20.0, now=40.0), 40.0, 300) == pytest.approx(300 / 18)


def test_another_deadline_is_another_pace_and_none_is_none() -> None:
    deadlines = Deadlines()
    rate(deadlines, view_of_drain(60.0, now=0.0), 0.0, 900)
    assert rate(deadlines, view_of_drain(600.0, now=1.0), 1.0, 900) == pytest.approx(900 / 540)
    assert rate(deadlines, view_of_drain(0.0, now=2.0), 2.0, 900) is None
    view = LoadView(GATEWAY)
    view.reported(node_report("n0", 9, connections=900), 3.0)
    assert rate(deadlines, view, 3.0, 900) is None


def test_after_its_deadline_a_node_is_emptied_at_once() -> None:
    deadlines = Deadlines()
    rate(deadlines, view_of_drain(5.0, now=0.0), 0.0, 900)
    assert rate(deadlines, view_of_drain(0.0, now=6.0), 6.0, 100) == 100.0


def test_force_holds_for_its_time() -> None:
    deadlines = Deadlines()
    deadlines.force(NodeName("n0"), 30.0)
    deadlines.observe([], 29.0)
    assert deadlines.forced == {"n0"}
    deadlines.observe([], 30.0)
    assert deadlines.forced == frozenset()
