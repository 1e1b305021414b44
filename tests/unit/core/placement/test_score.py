"""A score of one's own."""

from collections import Counter
from importlib.metadata import EntryPoint, EntryPoints
from math import inf, nan
from pathlib import Path
from typing import Any

import pytest

from ringway.core.load import LoadView, NodeLoad
from ringway.core.placement import score
from ringway.core.placement.catalog import make_policy
from ringway.core.placement.score import Score
from ringway.errors import ConfigError
from sample import GATEWAY, equal, node_report, rng, view_of

NOT_CALLABLE = 5
BY_NAME = {"n0": 3.0, "n1": 1.0, "n2": 2.0}


def by_name(node: NodeLoad, view: LoadView) -> float:
    return BY_NAME[node.name]


def fails_for_n1(node: NodeLoad, view: LoadView) -> float:
    if node.name == "n1":
        raise ZeroDivisionError("no such thing")
    return BY_NAME[node.name]


def never(node: NodeLoad, view: LoadView) -> float:
    return {"n0": nan, "n1": inf, "n2": -inf}[node.name]


class Weighing:
    @staticmethod
    def weigh(node: NodeLoad, view: LoadView) -> float:
        return -node.weight


def made(function: str, d: int = 0) -> Score:
    policy = make_policy(f"score:call=unit.core.placement.test_score:{function},d={d}", b"")
    assert isinstance(policy, Score)
    return policy


def chosen(policy: Score, view: LoadView) -> Counter[str]:
    chance = rng()
    return Counter(policy.pick(view, None, chance, 1).nodes[0].name for _ in range(300))


def test_the_smallest_score_wins() -> None:
    assert chosen(made("by_name"), view_of(equal(3))) == {"n1": 300}


def test_of_a_few_drawn_the_smallest_wins() -> None:
    counts = chosen(made("by_name", 2), view_of(equal(3)))
    assert set(counts) == {"n1", "n2"}
    assert counts["n1"] > counts["n2"]


def test_a_method_can_be_named() -> None:
    assert chosen(made("Weighing.weigh"), view_of({"a": 1.0, "b": 2.0})) == {"b": 300}


def test_a_node_for_which_it_fails_comes_last_and_the_failure_is_told() -> None:
    policy, view = made("fails_for_n1"), view_of(equal(3))
    assert chosen(policy, view) == {"n2": 300}
    assert policy.failures == 300
    assert policy.failure.endswith("fails_for_n1 failed for n1: ZeroDivisionError: no such thing")


def test_where_it_has_no_number_for_anybody_the_least_full_is_taken() -> None:
    policy = made("never")
    assert chosen(policy, view_of(equal(3), loads={"n0": 5, "n1": 4, "n2": 6})) == {"n1": 300}
    assert policy.failures == 900
    assert policy.failure.endswith("it returned -inf")


def test_who_may_take_nobody_is_not_asked() -> None:
    policy, view = made("by_name"), view_of(equal(3))
    view.set_gates({view.eligible[1].name: "hot"})
    assert chosen(policy, view) == {"n2": 300}


def test_it_says_what_it_compares() -> None:
    policy = made("by_name", 2)
    assert policy.rule == "of 2 nodes drawn by weight the one with the least score"
    assert made("by_name").rule == "of all nodes the one with the least score"
    assert policy.measure == "what unit.core.placement.test_score:by_name returns"
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


def test_an_entry_point_can_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    point = EntryPoint("mine", f"{__name__}:by_name", score.GROUP)
    monkeypatch.setattr(score, "entry_points", lambda group: EntryPoints([point]).select(group=group))
    assert chosen(Score(score.ScoreOptions(call="mine", d=0)), view_of(equal(3))) == {"n1": 300}
    with pytest.raises(ConfigError, match=r"'yours' is no entry point of the group ringway.policies .*there are: mine"):
        make_policy("score:call=yours", b"")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("score", "needs its function: score:call=package.module:function"),
        ("score:call=nowhere:to_be_found", "cannot be loaded: ModuleNotFoundError: No module named 'nowhere'"),
        ("score:call=sample:to_be_found", "cannot be loaded: AttributeError"),
        ("score:call=unit.core.placement.test_score:NOT_CALLABLE", "is int, not a function"),
        ("score:call=mine", "no entry point of the group ringway.policies .there is none"),
        ("score:call=sample:fullness,d=9", "d=9 of the policy score is wrong: give a whole number <= 5"),
    ],
)
def test_what_cannot_be_called_is_refused(text: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        make_policy(text, b"")
