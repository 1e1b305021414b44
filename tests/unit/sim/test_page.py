"""The page: one file that needs nothing else, and says what happened."""

import re
from xml.etree import ElementTree

import pytest

from ringway.sim import plot
from ringway.sim.contender import make_contenders
from ringway.sim.page import page
from ringway.sim.run import simulate
from ringway.sim.scenario import Scenario, make_scenario
from ringway.sim.story import COLUMNS, row, sentences
from ringway.sim.summary import Summary

Runs = tuple[Scenario, list[Summary]]


@pytest.fixture(scope="module")
def runs() -> Runs:
    scenario = make_scenario({"connections": 2000, "nodes": 5, "seconds": 40})
    contenders = make_contenders(["two-choices"], ["reconnect-all"], [], scenario.balance)
    return scenario, [simulate(scenario, contender) for contender in contenders]


def test_it_needs_nothing_from_elsewhere(runs: Runs) -> None:
    made = page(*runs)
    addresses = re.findall(r"""(?:src|href)=["']([^"']*)""", made) + re.findall(r"url\(([^)]*)\)", made)
    assert all(address.startswith("#") for address in addresses)
    assert "<script" not in made
    assert "@import" not in made


def test_it_begins_with_what_happened(runs: Runs) -> None:
    made = page(*runs)
    assert "2,000 connections on 5 nodes; one node joins." in made
    for sentence in sentences(runs[1]):
        assert sentence[1:] in made
    assert re.match(r"two-choices moved 3\d\d connections \(17% of all, 1\.0\d times the least", sentences(runs[1])[0])


def test_rows_have_a_cell_for_each_column(runs: Runs) -> None:
    assert all(len(row(summary)) == len(COLUMNS) for summary in runs[1])


def test_pictures_are_well_formed_and_take_the_colour_of_the_page(runs: Runs) -> None:
    summaries = runs[1]
    pictures = [
        plot.connections(summaries[0], 500, 30), plot.arrivals(summaries[1], 2, 30), plot.moves(summaries),
        plot.imbalance(summaries), plot.away(summaries),
    ]  # fmt: skip
    for svg in pictures:
        assert ElementTree.fromstring(svg).tag.endswith("svg")
        assert "currentColor" in svg
        assert plot.INK not in svg
        assert plot.FAINT not in svg
    assert ElementTree.fromstring(plot.standalone(pictures[0]).partition("\n")[2]).tag.endswith("svg")


def test_pictures_of_a_long_run_stay_small(runs: Runs) -> None:
    scenario = make_scenario({"connections": 500, "nodes": 60, "seconds": 900, "scenario": "quiet"})
    (contender,) = make_contenders(["round-robin"], [], [], scenario.balance)
    summary = simulate(scenario, contender)
    assert len(plot.connections(summary, 20, 900)) < 60_000
