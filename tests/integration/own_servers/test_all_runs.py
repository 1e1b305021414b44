"""Every server with its own client, by each source, moved in each way that fits it: `scripts/test-own-servers`.

This takes an hour, so `scripts/test` skips it, and runs a part of it (the tests of moves beside this file).
"""

import os
from pathlib import Path

import pytest

from integration.own_servers.behaviour import (
    check_drained,
    check_gateway_killed,
    check_killed,
    check_never_moved,
    check_rolled,
    check_scaled_out,
)
from integration.own_servers.running import OwnServers, Source
from integration.own_servers.runs import Run, parameters
from integration.own_servers.stack import STACKS

PLAIN = [name for name, stack in STACKS.items() if stack.is_plain]

RUNS = [
    *(Run(name, source) for name in STACKS for source in (Source.FILE, Source.JOIN)),
    *(Run(name, on_move="close") for name in PLAIN),
    Run("fastapi-uvicorn", on_move="reopen"),
]
ROLLED = [Run("spring", Source.JOIN), Run("fastapi-uvicorn"), Run("python-socketio", Source.JOIN)]
PINNED = [Run(name, on_move="never") for name in ("fastapi-uvicorn", "go", "spring")]

pytestmark = pytest.mark.skipif(
    os.environ.get("RINGWAY_OWN_SERVERS") != "all", reason="takes an hour; run scripts/test-own-servers"
)

each = pytest.mark.parametrize("moved_servers", parameters(RUNS), indirect=True, scope="module")
each_rolled = pytest.mark.parametrize("moved_servers", parameters(ROLLED), indirect=True, scope="module")
each_pinned = pytest.mark.parametrize("moved_servers", parameters(PINNED), indirect=True, scope="module")


@each
def test_one_instance_more_gets_its_share_and_gives_it_back(moved_servers: OwnServers) -> None:
    check_scaled_out(moved_servers, "d")


@each
def test_a_drain_moves_each_client_of_an_instance_once(moved_servers: OwnServers) -> None:
    check_drained(moved_servers)


@each
def test_clients_of_a_killed_instance_are_served_elsewhere(moved_servers: OwnServers) -> None:
    check_killed(moved_servers)


@each
def test_clients_of_a_killed_gateway_come_back_by_themselves(moved_servers: OwnServers) -> None:
    check_gateway_killed(moved_servers)


@each_rolled
def test_all_instances_are_restarted_and_no_answer_is_lost(moved_servers: OwnServers, tmp_path: Path) -> None:
    check_rolled(moved_servers, tmp_path)


@each_pinned
def test_pinned_clients_are_not_moved_and_a_drain_waits_for_its_deadline(moved_servers: OwnServers) -> None:
    check_never_moved(moved_servers, "d")
