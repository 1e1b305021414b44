"""The fleets that tests of failing servers run on, and how long they do."""

import os
from collections.abc import Iterator

import pytest

from integration.engine.trial import Hands
from ringway.testing.fleet import make_fleet

SECONDS_ENV = "RINGWAY_FAULTS_S"


@pytest.fixture(scope="session")
def long_s() -> float:
    """For how long leaders are killed; 0: as short as it proves anything. `RINGWAY_FAULTS_S=60` for a minute."""
    return float(os.environ.get(SECONDS_ENV, "0"))


@pytest.fixture(scope="module")
def hands(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hands]:
    """The fleet that the test is parametrised with, running."""
    hands = Hands(make_fleet(request.param, tmp_path_factory.mktemp(request.param)))
    hands.do_now(hands.fleet.start)
    yield hands
    hands.close()
