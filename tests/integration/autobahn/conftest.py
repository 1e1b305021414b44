"""The suite for the tests of this directory, which are skipped if it is not available."""

import pytest

from integration.autobahn.kit import Absent, command


@pytest.fixture(scope="session")
def wstest() -> list[str]:
    """The command that runs the suite."""
    try:
        return command()
    except Absent as absent:
        pytest.skip(str(absent))
