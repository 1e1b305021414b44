"""Scenarios: errors name the value and the rule."""

import re
from pathlib import Path
from typing import Any

import pytest

from ringway.errors import ConfigError
from ringway.sim.contender import make_contenders
from ringway.sim.scenario import make_scenario, read_file


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"nodes": 0}, "nodes: Expected `int` >= 1"),
        ({"nods": 3}, "unknown settings: nods; there are scenario, nodes"),
        ({"scenario": "scale"}, "the scenario 'scale' is unknown; choose one of scale-out"),
        ({"scenario": "scale-in", "remove": 10}, "remove = 10 of 10 nodes"),
        ({"slow": 0.6, "plain": 0.5}, "slow 0.6, plain 0.5: more than all"),
        ({"scenario": "script"}, "needs [[event]] tables"),
        ({"node": [{"name": "a"}, {"name": "a"}]}, "two [[node]] tables have the same name"),
        ({"balance": {"start_above": 2}}, "balance.start_above: Expected `float` <= 1.0"),
    ],
)
def test_a_wrong_scenario_says_what_would_be_right(values: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(said)):
        make_scenario(values)


def test_a_file_says_what_flags_say(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(
        'scenario = "script"\nweights = [1, 2]\n[balance]\nmoves_per_s_max = 50\n'
        '[[node]]\nname = "a"\nconnections = 30\n[[node]]\nname = "b"\nconnections = 70\n'
        '[[event]]\nat_s = 5\ndo = "drain"\nnodes = ["b"]\n'
    )
    scenario = make_scenario(read_file(str(file)))
    assert (scenario.nodes, scenario.connections) == (2, 100)
    assert scenario.event[0].nodes == ("b",)
    assert scenario.balance.moves_per_s_max == 50
    with pytest.raises(ConfigError, match="cannot be read"):
        read_file(str(tmp_path / "none.toml"))
    file.write_text("nodes = ")
    with pytest.raises(ConfigError, match="is no TOML"):
        read_file(str(file))


def test_contenders_are_each_policy_at_each_pace_and_the_baselines() -> None:
    balance = make_scenario({}).balance
    made = make_contenders(["two-choices", "rendezvous:c=1.1"], ["modulo"], [50, 100], balance)
    assert [contender.name for contender in made] == [
        "two-choices at 50 moves/s", "two-choices at 100 moves/s",
        "rendezvous:c=1.1 at 50 moves/s", "rendezvous:c=1.1 at 100 moves/s", "modulo",
    ]  # fmt: skip
    for wrong in ((["two"], [], []), ([], ["mod"], []), (["ring"], [], [0]), (["ring", "ring"], [], [])):
        with pytest.raises(ConfigError):
            make_contenders(*wrong, balance)
