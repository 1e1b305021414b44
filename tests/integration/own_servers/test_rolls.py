"""`ringway roll` restarts servers that people have, under traffic of their own clients: no answer is lost."""

from pathlib import Path

import pytest

from integration.own_servers.behaviour import check_rolled
from integration.own_servers.running import OwnServers, Source
from integration.own_servers.runs import Run, parameters

RUNS = (Run("socketio"), Run("go", Source.JOIN))


@pytest.mark.parametrize("moved_servers", parameters(RUNS), indirect=True, scope="module")
def test_all_instances_are_restarted_and_no_answer_is_lost(moved_servers: OwnServers, tmp_path: Path) -> None:
    check_rolled(moved_servers, tmp_path)
