"""Running servers for the tests of a file, which are skipped if their toolchain is not there."""

from collections.abc import Iterator

import pytest

from integration.own_servers.running import OwnServers, Source, own_servers
from integration.own_servers.stack import Stack
from integration.own_servers.toolchain import Absent

NAMES = ("a", "b", "c")


@pytest.fixture(scope="module")
def servers(request: pytest.FixtureRequest) -> Iterator[OwnServers]:
    """Instances a, b and c of the stack that is the parameter, behind a gateway that closes clients of a lost one."""
    yield from _running(request.param, Source.SETTINGS, "close")


@pytest.fixture(scope="module")
def moved_servers(request: pytest.FixtureRequest) -> Iterator[OwnServers]:
    """Instances of a stack, with an engine. The parameter is stack, source and on-move."""
    yield from _running(*request.param)


def _running(stack: Stack, source: Source, on_move: str) -> Iterator[OwnServers]:
    try:
        with own_servers(stack, NAMES, source, on_move) as running:
            yield running
    except Absent as absent:
        pytest.skip(str(absent))
