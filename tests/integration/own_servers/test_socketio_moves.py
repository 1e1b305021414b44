"""Socket.IO and tRPC, listed in a file: clients are moved under traffic, and come back by their own libraries."""

import pytest

from integration.own_servers.behaviour import check_drained, check_scaled_out
from integration.own_servers.running import OwnServers
from integration.own_servers.runs import Run, parameters

RUNS = (Run("socketio"), Run("trpc"))

each = pytest.mark.parametrize("moved_servers", parameters(RUNS), indirect=True, scope="module")


@each
def test_one_instance_more_gets_its_share_and_gives_it_back(moved_servers: OwnServers) -> None:
    check_scaled_out(moved_servers, "d")


@each
def test_a_drain_moves_each_client_of_an_instance_once(moved_servers: OwnServers) -> None:
    check_drained(moved_servers)
