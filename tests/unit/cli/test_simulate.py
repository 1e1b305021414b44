"""`ringway simulate`, on small clusters."""

import json
from pathlib import Path

import pytest

from ringway.cli.main import run

SMALL = ["--connections", "2000", "--nodes", "4", "--seconds", "40"]


def test_it_prints_what_happened_and_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["simulate", *SMALL, "--policy", "two-choices", "--baseline", "shed"]) == 0
    said = capsys.readouterr().out
    assert "2,000 connections on 4 nodes; one node joins." in said
    assert "Two-choices moved" in said
    assert "shed without target" in said


def test_json_has_an_object_for_each_contender(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["simulate", *SMALL, "--policy", "ring", "--moves-per-s", "20", "--moves-per-s", "40", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [each["name"] for each in found] == ["ring at 20 moves/s", "ring at 40 moves/s"]
    assert found[0]["moves"] > 0
    assert "course" not in found[0]


def test_it_writes_a_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "page.html"
    assert run(["simulate", "scale-in", *SMALL, "--html", str(file)]) == 0
    assert file.read_text().startswith("<!doctype html>")
    assert run(["simulate", *SMALL, "--html", str(tmp_path / "no" / "page.html")]) == 2
    assert "cannot be written" in capsys.readouterr().err


def test_a_file_is_a_scenario_and_flags_go_before_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('scenario = "scale-in"\nconnections = 3000\nseconds = 30\n')
    assert run(["simulate", str(file), "--nodes", "3"]) == 0
    assert "3,000 connections on 3 nodes; one node is drained and leaves." in capsys.readouterr().out


def test_placement_alone(capsys: pytest.CaptureFixture[str]) -> None:
    given = ["simulate", "placement", "--keys", "1e5", "--policy", "rendezvous", "--policy", "two-choices"]
    assert run([*given, "--baseline", "modulo"]) == 0
    said = capsys.readouterr().out
    assert "100,000 keys on 10 nodes" in said
    assert "modulo" in said
    assert run([*given, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["collateral_on_join"] == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nothing"], "the scenario 'nothing' is unknown"),
        (["--nodes", "many"], "--nodes many: give a number"),
        (["--nodes", "0"], "nodes: Expected `int` >= 1"),
        (["--connections", "1e8", "--baseline", "shed"], "100,000,000 clients with shed: at most 20,000,000"),
        (["--policy", "two"], "the policy 'two' is unknown"),
        (["--baseline", "mod"], "the baseline 'mod' is unknown"),
        (["--drain", "node-1"], "--drain needs --from-cluster"),
        (["--balance", "start=1"], "unknown field `start`"),
        (["placement", "--keys", "0"], "--keys from 1 to 1e10"),
    ],
)
def test_wrong_settings_are_one_clear_line(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["simulate", *words]) == 2
    assert said in capsys.readouterr().err
