"""Servers in Go and Java, each with its own client, behind a gateway: placed, and back after each `kill -9`."""

import pytest

from integration.own_servers.behaviour import check_gateway_killed, check_killed, check_placed
from integration.own_servers.running import OwnServers
from integration.own_servers.stack import STACKS

NAMES = ("go", "spring")

each = pytest.mark.parametrize("servers", [STACKS[name] for name in NAMES], ids=NAMES, indirect=True, scope="module")


@each
def test_each_client_is_served_by_the_instance_that_it_was_placed_at(servers: OwnServers) -> None:
    check_placed(servers)


@each
def test_clients_of_a_killed_instance_come_back_by_themselves(servers: OwnServers) -> None:
    check_killed(servers)


@each
def test_clients_of_a_killed_gateway_come_back_by_themselves(servers: OwnServers) -> None:
    check_gateway_killed(servers)
