"""All nodes are restarted, one after the other, by one command: no client is cut off, and few move twice."""

import asyncio
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration.cli.kit import run
from integration.system.conftest import SOON
from integration.system.witness import reaches_all, until
from support.system import System, running_system

CLIENTS = 24

RESTART = """
import os, pathlib, signal, sys
wanted = {f"RINGWAY_MEMBER_NAME={sys.argv[1]}", f"RINGWAY_STATE_DIR={os.environ['RINGWAY_STATE_DIR']}"}
for entry in pathlib.Path("/proc").iterdir():
    try:
        if entry.name.isdigit() and wanted <= set((entry / "environ").read_text().split(chr(0))):
            os.kill(int(entry.name), signal.SIGTERM)
    except OSError:
        continue
"""
"""Ends the node by SIGTERM; `ringway up` starts it again, as a service manager would."""


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    with running_system(nodes=3, environ=SOON) as running:
        yield running


@pytest.fixture
def restart(tmp_path: Path) -> str:
    script = tmp_path / "restart.py"
    script.write_text(RESTART)
    return f"{shlex.quote(sys.executable)} {shlex.quote(str(script))} {{node}}"


async def test_a_dry_run_says_what_would_move_and_does_nothing(system, witnesses, restart):
    crowd = await witnesses(CLIENTS)
    await until(lambda: sum(node["connections"] for node in system.nodes().values()) == CLIENTS, "all to be counted")
    said = await asyncio.to_thread(system.ringway, "roll", "--command", restart, "--within", "60s", "--dry-run")
    assert re.search(
        r"^1\. node-1: \d+ connections leave it in about \d s \(\d+ to node-\d, \d+ to node-\d\)$", said, re.MULTILINE
    )
    assert re.search(r"^3 restarts, 1\.[234]\d moves for each client", said, re.MULTILINE)
    assert "restart.py '{node}'" in said
    assert {node["state"] for node in system.nodes().values()} == {"active"}
    assert not any(witness.ends for witness in crowd)


async def test_all_nodes_are_restarted_and_nobody_is_cut_off(system, witnesses, restart):
    crowd = await witnesses(CLIENTS)
    await until(lambda: sum(node["connections"] for node in system.nodes().values()) == CLIENTS, "all to be counted")
    lives = {name: node["incarnation"] for name, node in system.nodes().items()}
    done = await asyncio.to_thread(run, system.state, "roll", "--command", restart, "--within", "15s", "--pause", "0")
    assert done.returncode == 0, done.stderr
    assert "3 nodes were restarted, with" in done.stdout
    assert re.search(
        r"^node-1: \d+ of \d+ connections left, .* a second, empty in about 0:\d\d", done.stderr, re.MULTILINE
    )
    after = {name: node["incarnation"] for name, node in system.nodes().items()}
    assert after.keys() == lives.keys()
    assert not set(after.values()) & set(lives.values())
    await until(lambda: all(witness.listening for witness in crowd), "everybody to be back")
    assert not any(witness.ends for witness in crowd), "nobody was cut off, and nobody noticed"
    # A third of them, then twice a half, goes to those that were restarted before: 4/3 of all, and chance.
    assert CLIENTS <= sum(len(witness.nodes) - 1 for witness in crowd) <= 1.6 * CLIENTS
    await reaches_all(crowd, "after the restart of all")


async def test_a_step_that_fails_ends_it_and_says_what_was_done(system):
    def fails(*arguments: str) -> str:
        done = run(system.state, "roll", *arguments)
        assert done.returncode == 1, done.stdout
        return done.stderr

    broken = f"{sys.executable} -c 'raise SystemExit(3)' {{node}}"
    said = await asyncio.to_thread(fails, "--command", broken, "--nodes", "node-2,node-1")
    assert "the command failed (exit code 3)" in said
    assert "It ended at node-2; restarted before: none; not yet: node-1. node-2 is left draining" in said
    assert "`ringway undrain node-2` takes it back" in said
    assert system.nodes()["node-2"]["state"] == "draining"
    idle = f"{sys.executable} -c pass"
    said = await asyncio.to_thread(fails, "--command", idle, "--nodes", "node-2", "--ready-within", "3s")
    assert "node-2 was not restarted by the command within 3 s: it still runs. It ended at node-2" in said
    assert "node-2 is left draining" in said
    await asyncio.to_thread(system.ringway, "undrain", "node-2")
