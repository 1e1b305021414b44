"""A score of one's own."""

from collections import Counter
from math import inf, nan
from pathlib import Path
from typing import Any

import pytest

from ringway.core.load import LoadView, NodeLoad
from ringway.core.placement.catalog import make_policy
from ringway.core.placement.score import Score, ScoreFunction
from ringway.errors import ConfigError
from sample import GATEWAY, equal, node_report, rng, view_of

BY_NAME = {"n0": 3.0, "n1": 1.0, "n2": 2.0}


def by_name(node: NodeLoad, view: LoadView) -> float:
    return BY_NAME[node.name]


def fails_for_n1(node: NodeLoad, view: LoadView) -> float:
    if node.name == "n1":
        raise ZeroDivisionError("no such thing")
    return BY_NAME[node.name]


def never(node: NodeLoad, view: LoadView) -> float:
    return {"n0": nan, "n1": inf, "n2": -inf}[node.name]


def made(function: ScoreFunction, d: int = 0) -> Score:
    policy = make_policy(f"score:call=ours:{function.__name__},d={d}", b"", lambda call: function)
    assert isinstance(policy, Score)
    return policy


def chosen(policy: Score, view: LoadView) -> Counter[str]:
    chance = rng()
    return Counter(policy.pick(view, None, chance, 1).nodes[0].name for _ in range(300))


def test_the_smallest_score_wins() -> None:
    assert chosen(made(by_name), view_of(equal(3))) == {"n1": 300}


def test_of_a_few_drawn_the_smallest_wins() -> None:
    counts = chosen(made(by_name, 2), view_of(equal(3)))
    assert set(counts) == {"n1", "n2"}
    assert counts["n1"] > counts["n2"]


def test_a_node_for_which_it_fails_comes_last_and_the_failure_is_told() -> None:
    policy, view = made(fails_for_n1), view_of(equal(3))
    assert chosen(policy, view) == {"n2": 300}
    assert policy.failures == 300
    assert policy.failure.endswith("fails_for_n1 failed for n1: ZeroDivisionError: no such thing")


def test_where_it_has_no_number_for_anybody_the_least_full_is_taken() -> None:
    policy = made(never)
    assert chosen(policy, view_of(equal(3), loads={"n0": 5, "n1": 4, "n2": 6})) == {"n1": 300}
    assert policy.failures == 900
    assert policy.failure.endswith("it returned -inf")


def test_who_may_take_nobody_is_not_asked() -> None:
    policy, view = made(by_name), view_of(equal(3))
    view.set_gates({view.eligible[1].name: "hot"})
    assert chosen(policy, view) == {"n2": 300}


def test_it_says_what_it_compares() -> None:
    policy = made(by_name, 2)
    assert policy.rule == "of 2 nodes drawn by weight the one with the least score"
    assert made(by_name).rule == "of all nodes the one with the least score"
    assert policy.measure == "what ours:by_name returns"
    view = view_of(equal(3))
    assert policy.value(view, view.eligible[2]) == 2.0


def test_the_example_of_the_documents_works() -> None:
    page = (Path(__file__).parents[4] / "docs" / "explain" / "placement.md").read_text()
    block = page.partition("```python\n")[2].partition("```")[0]
    names: dict[str, Any] = {}
    exec(block, names)
    view = LoadView(GATEWAY)
    view.reported(node_report("near", zone="eu-1", connections=12), 0.0)
    view.reported(node_report("far", zone="us-1", connections=10), 0.0)
    score_of = names["near_and_empty"]
    assert score_of(view.eligible[1], view) < score_of(view.eligible[0], view)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("score", "needs its function: score:call=package.module:function"),
        ("score:call=ours:by_name", "'ours:by_name' cannot be found: nothing loads functions here"),
        ("score:call=ours:by_name,d=9", "d=9 of the policy score is wrong: give a whole number <= 5"),
    ],
    ids=["no name", "no way to find it", "a wrong option"],
)
def test_without_a_function_there_is_no_score(text: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        make_policy(text, b"")


def test_the_function_is_asked_for_by_its_name() -> None:
    asked: list[str] = []

    def find(call: str) -> ScoreFunction:
        asked.append(call)
        return by_name

    make_policy("score:call=ours:by_name", b"", find)
    assert asked == ["ours:by_name"]
