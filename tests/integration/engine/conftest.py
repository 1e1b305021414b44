"""Fleets for tests of failing servers, and the length of these tests."""

import os
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from integration.engine.trial import Hands
from support.fleet import make_fleet

LONG_S = float(os.environ.get("RINGWAY_FAULTS_S", "0"))
"""How long leaders are killed, on all fleets; 0: for the shortest time, on the fewest fleets."""


def chosen(*short: Any, long: Sequence[Any]) -> list[Any]:
    """The parameters of a test: `short` always, and the `long` ones where there is time."""
    return [*short, *(long if LONG_S else ())]


@pytest.fixture(scope="module")
def hands(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hands]:
    """The fleet that the test is parametrised with, running."""
    hands = Hands(make_fleet(request.param, tmp_path_factory.mktemp(request.param)))
    try:
        hands.do_now(hands.fleet.start)
        yield hands
    finally:
        hands.close()
