"""Members of a later wire version. One that speaks only that is a stranger: shown with the reason, given no clients,
and not followed. One that speaks today's version as well is a member, and goes over to the later one if all read it.
"""

import asyncio
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from integration.cli.kit import run
from integration.system.conftest import SOON
from integration.system.witness import reaches_all, until
from support.system import System, running_system
from support.versioned_member import VersionedMember

CLIENTS = 12


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    with running_system(environ=SOON) as running:
        yield running


@pytest.fixture(params=["node", "gateway"])
def later(system: System, request: pytest.FixtureRequest) -> Iterator[VersionedMember]:
    member = VersionedMember(system, request.param, "3-3", f"later-{request.param}")
    try:
        yield member
    finally:
        member.stop()


def strangers(system: System) -> dict[str, dict[str, Any]]:
    return {each["name"]: each for each in system.ask("members")["strangers"]}


async def test_a_member_of_a_later_version_is_a_stranger_and_the_system_goes_on(
    system: System, witnesses: Any, later: VersionedMember
) -> None:
    await until(lambda: later.name in strangers(system), "the stranger", 60.0)
    crowd = await witnesses(CLIENTS)
    await reaches_all(crowd, "beside a member of a later version")
    stranger = strangers(system)[later.name]
    assert stranger["fault"] == "version"
    assert "speaks wire version 3, this cluster reads 2 to 2; upgrade the others" in stranger["problem"]
    shown = await asyncio.to_thread(run, system.state, "nodes")
    assert later.name in shown.stdout
    assert "another version" in shown.stdout
    listed = json.loads((await asyncio.to_thread(run, system.state, "nodes", "--json")).stdout)
    assert {node["name"] for node in listed} == {"node-1", "node-2"}
    await until(lambda: later.readiness()[0] == 503, f"{later.name} to say that it is not ready")
    assert "of another wire version" in later.readiness()[1]
    drained = await asyncio.to_thread(run, system.state, "drain", later.name, "--no-wait")
    assert drained.returncode != 0
    assert {name: node["state"] for name, node in system.nodes().items()} == {"node-1": "active", "node-2": "active"}
    assert {node for witness in crowd for node in witness.nodes} <= {"node-1", "node-2"}
    assert not any(witness.ends for witness in crowd)
    for log in (Path(system.state) / "logs").glob("*.log"):
        told = [line for line in log.read_text().splitlines() if "not believed" in line and later.name in line]
        assert len(told) <= 1, f"{log.name} tells it once"
        assert "Traceback" not in log.read_text()
    assert "Traceback" not in later.log()
    await reaches_all(crowd, "at the end")


async def test_a_member_that_speaks_todays_version_as_well_serves_clients_beside_todays_members(
    system: System, witnesses: Any
) -> None:
    both = VersionedMember(system, "node", "2-3", "both")
    try:
        await until(lambda: "both" in system.nodes(), "the node to be believed", 60.0)
        assert "both" not in strangers(system)
        crowd = await witnesses(CLIENTS)
        await until(lambda: system.nodes()["both"]["connections"] > 0, "clients at it")
        await reaches_all(crowd, "between members of two releases")
        await asyncio.to_thread(run, system.state, "drain", "both")
        await until(lambda: system.nodes()["both"]["connections"] == 0, "its clients to be elsewhere")
        await reaches_all(crowd, "after a drain")
        assert not any(witness.ends for witness in crowd)
        assert "another wire version" not in both.log(), "it goes on in today's"
    finally:
        both.stop()


async def test_members_that_all_speak_a_later_version_go_over_to_it_and_back_when_an_older_one_joins(
    system: System,
) -> None:
    cluster = ("--cluster", "later")
    members = [
        VersionedMember(system, role, "2-3", name, *cluster)
        for role, name in (("gateway", "g"), ("node", "a"), ("node", "b"))
    ]
    try:
        gateway = members[0]
        await until(lambda: gateway.nodes() == ["a", "b"], "the nodes at their gateway", 60.0)
        await until(lambda: all("in another wire version" in each.log() for each in members), "all to go over")
        assert gateway.nodes() == ["a", "b"]
        told = await asyncio.to_thread(run, system.state, "nodes", *cluster)
        assert told.returncode == 2, "a command of today reads none of it"
        assert "speaks wire version 3" in told.stdout
        older = VersionedMember(system, "node", "2-2", "older", *cluster)
        members.append(older)
        await until(lambda: gateway.nodes() == ["a", "b", "older"], "the older node beside them", 60.0)
        await until(lambda: older.readiness()[0] == 200, "the older node to believe them")
    finally:
        for each in members:
            each.stop()
            sys.stdout.write(f"{each.name}: {each.log()}")
