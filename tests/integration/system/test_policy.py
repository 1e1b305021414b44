"""The policy is changed while gateways run, are killed and come: all follow, and no client moves without an order."""

import asyncio
import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any

import pytest

from integration.system.witness import Witness, reaches_all, until
from support.system import System, free_port, wait_for

KEYS = [f"room-{number}" for number in range(24)]


@dataclass
class Operator:
    """Somebody with the command line and the admin ports. `admins` are those of the gateways, by their names."""

    system: System
    admins: dict[str, str]

    def run(self, *arguments: str) -> str:
        return self.system.ringway(*arguments)

    def json(self, *arguments: str) -> Any:
        return json.loads(self.run(*arguments, "--json"))

    def add_gateway(self) -> str:
        """Start another gateway beside; return its name once its admin port answers."""
        port, admin_port = free_port(), free_port()
        self.system.start("gateway", "--port", str(port), "--admin-port", str(admin_port))
        url = f"http://127.0.0.1:{admin_port}"
        name = str(wait_for(lambda: self.ask(url, "GET", "/v1/policy")[1]["gateway"], "another gateway"))
        self.admins[name] = url
        return name

    def ask(self, url: str, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Ask an admin port; return the status and the answer."""
        raw = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url + path, raw, {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)

    def followed(self) -> dict[str, tuple[str, int]]:
        """The policy and version of each gateway, as its own admin port says."""
        said = {name: self.ask(url, "GET", "/v1/policy")[1] for name, url in self.admins.items()}
        return {name: (each["policy"], each["version"]) for name, each in said.items()}

    def owner(self, key: str, gateway: str) -> str:
        """The node that a client with `key` would be sent to, as the admin port of `gateway` explains."""
        told: list[Any] = []

        def explained() -> bool:
            told[:] = [self.ask(self.admins[gateway], "GET", f"/v1/explain?key={key}")[1]]
            return "being built" not in told[0]["note"]

        wait_for(explained, f"the table of {gateway}")
        return str(told[0]["chosen"])

    def agrees(self) -> bool:
        """Whether every gateway names the same owner of each of six keys."""
        return all(len({self.owner(key, gateway) for gateway in self.admins}) == 1 for key in KEYS[:6])


@pytest.fixture(scope="module")
def operator(system):
    operator = Operator(system, {"gateway-1": system.admin_url})
    operator.add_gateway()
    wait_for(lambda: len(operator.json("policy")) == 2, "two gateways that answer")
    return operator


@pytest.fixture
async def crowd(system, operator, witnesses) -> list[Witness]:
    """A client for each key."""
    return [witness for key in KEYS for witness in await witnesses(1, key=key)]


def unmoved(crowd: list[Witness]) -> bool:
    return all(len(witness.nodes) == 1 and not witness.ends for witness in crowd)


async def test_all_gateways_follow_also_a_later_one_and_nobody_is_moved(operator, crowd, witnesses):
    said = await asyncio.to_thread(operator.run, "policy", "set", "ring:c=0")
    assert "Nobody is moved" in said
    assert operator.followed() == {"gateway-1": ("ring:c=0", 1), "gateway-2": ("ring:c=0", 1)}
    third = await asyncio.to_thread(operator.add_gateway)
    await until(lambda: operator.followed()[third] == ("ring:c=0", 1), "the third gateway to follow")
    await until(operator.agrees, "the third gateway to have heard of every node, and to name the same owners")
    for key in KEYS[:4]:
        [newcomer] = await witnesses(1, key=key)
        assert newcomer.nodes == [operator.owner(key, "gateway-1")]
    misplaced = [
        key for key, each in zip(KEYS, crowd, strict=True) if operator.owner(key, "gateway-1") != each.nodes[0]
    ]
    assert misplaced, "by chance all were at their owners: the test can say nothing"
    assert unmoved(crowd)
    await reaches_all(crowd, "after the change")


async def test_a_killed_gateway_learns_it_from_the_others(system, operator, crowd):
    version = operator.followed()["gateway-2"][1]
    first = system.kill("gateway-1")
    await until(lambda: system.is_ready() and system.pid_of("gateway-1") != first, "the gateway's return")
    await until(lambda: operator.followed()["gateway-1"] == ("ring:c=0", version), "it to follow again")
    assert unmoved(crowd)
    await reaches_all(crowd, "after the kill")


async def all_come_to_their_owners(operator: Operator, crowd: list[Witness]) -> int:
    """Wait until each client is where its key belongs; return how many had to move. Nobody else has."""
    owners = {key: operator.owner(key, "gateway-2") for key in KEYS}
    moving = [(each, owners[key]) for key, each in zip(KEYS, crowd, strict=True) if each.nodes[0] != owners[key]]
    assert moving, "by chance all were at their owners: the test can say nothing"
    await until(lambda: all(each.nodes[-1] == owner for each, owner in moving), "all to be with their owners", 60)
    assert max(len(each.nodes) for each in crowd) <= 2
    assert sum(len(each.nodes) - 1 for each in crowd) == len(moving)
    await until(lambda: all(witness.listening for witness in crowd), "everybody to be back")
    await reaches_all(crowd, "after the moves")
    return len(moving)


async def test_those_whom_it_places_elsewhere_are_moved_when_that_is_asked_for_later(operator, crowd):
    await asyncio.to_thread(operator.run, "policy", "set", "maglev:c=0")
    await asyncio.to_thread(operator.run, "rebalance")
    await all_come_to_their_owners(operator, crowd)
    version = operator.followed()["gateway-1"][1]
    await until(lambda: operator.followed() == dict.fromkeys(operator.admins, ("maglev:c=0", version)), "all to follow")


async def test_asked_to_move_it_brings_everybody_to_the_owner_and_the_log_says_so(operator, crowd):
    said = await asyncio.to_thread(operator.run, "policy", "set", "rendezvous:c=0", "--move")
    assert "Connections that it places elsewhere are moved" in said
    moved = await all_come_to_their_owners(operator, crowd)
    latest = await asyncio.to_thread(operator.json, "moves")
    by_key = [decision for decision in latest if decision["policy"].startswith("rendezvous")]
    assert sum(decision["ordered"] for decision in by_key) >= moved
    assert [each["at"] for each in latest] == sorted((each["at"] for each in latest), reverse=True)
    by_admin = operator.ask(operator.admins["gateway-2"], "GET", "/v1/moves?count=1")[1]
    assert [each["number"] for each in by_admin] == [latest[0]["number"]]
    table = await asyncio.to_thread(operator.run, "moves", "-n", "1")
    assert latest[0]["reason"].split()[0] in table


async def test_frozen_moves_wait_until_they_are_let_go_on(system, operator, crowd):
    said = await asyncio.to_thread(operator.run, "freeze", "--why", "a deploy")
    assert "a deploy" in said
    await asyncio.to_thread(operator.run, "drain", "node-1", "--no-wait")
    held = system.nodes()["node-1"]["connections"]
    assert held

    def frozen() -> str:
        return str(operator.json("rebalance", "--dry-run")["frozen"])

    await until(lambda: "a deploy" in frozen(), "the balancer to say that it is frozen")
    assert system.nodes()["node-1"]["connections"] == held
    assert "Moves are frozen: a deploy" in await asyncio.to_thread(operator.run, "policy")
    status, after = operator.ask(operator.admins["gateway-2"], "DELETE", "/v1/freeze")
    assert (status, after["frozen"]) == (200, "")
    await until(lambda: system.nodes()["node-1"]["connections"] == 0, "the node to be emptied", 60)
    explained = operator.ask(operator.admins["gateway-1"], "GET", "/v1/explain?key=room-1")[1]
    why = {each["node"]: each["why_not"] for each in explained["candidates"]}
    assert why["node-1"].startswith("draining")
    await asyncio.to_thread(operator.run, "undrain", "node-1")
    await until(lambda: all(witness.listening for witness in crowd), "everybody to be back")


async def test_the_admin_port_changes_it_as_well_and_reset_goes_back(operator):
    version = operator.followed()["gateway-1"][1]
    url = operator.admins["gateway-2"]
    status, after = operator.ask(url, "PUT", "/v1/policy", {"policy": "least-connected"})
    assert (status, after["policy"], after["version"], after["moving"]) == (200, "least-connected", version + 1, False)
    expected = dict.fromkeys(operator.admins, ("least-connected", version + 1))
    await until(lambda: operator.followed() == expected, "all to follow")
    versions = dict.fromkeys(operator.admins, version + 1)
    await until(lambda: operator.ask(url, "GET", "/v1/policy")[1]["versions"] == versions, "all to have said so")
    await asyncio.to_thread(operator.run, "policy", "reset")
    assert operator.followed() == dict.fromkeys(operator.admins, ("two-choices", version + 2))


async def test_what_cannot_be_is_refused_and_changes_nothing(operator):
    before = operator.followed()
    for spec in ("best", "two-choices:d=9", "ring:key=bread"):
        with pytest.raises(RuntimeError, match=r"choose one of|give a whole number|query"):
            await asyncio.to_thread(operator.run, "policy", "set", spec)
        status, answer = operator.ask(operator.admins["gateway-1"], "PUT", "/v1/policy", {"policy": spec})
        assert status == 400
        assert answer["detail"]
    with pytest.raises(RuntimeError, match="there is no gateway 'nobody'; there are gateway-1, gateway-2"):
        await asyncio.to_thread(operator.run, "explain", "--gateway", "nobody")
    with pytest.raises(RuntimeError, match="can be named only in the gateway's own setting"):
        await asyncio.to_thread(operator.run, "policy", "set", "score:call=os:getcwd")
    assert operator.followed() == before


async def test_the_command_explains_what_the_admin_port_does(operator):
    told = await asyncio.to_thread(operator.run, "explain", "--key", "room-3", "--gateway", "gateway-2")
    assert "A client with the key 'room-3' goes to node-" in told
    assert "gateway-2 places by two-choices" in told
    for column in ("node-1", "node-2", "(load + 1) / weight", "chosen"):
        assert column in told
    said = await asyncio.to_thread(operator.json, "explain", "--key", "room-3")
    assert (said["gateway"], said["key"], said["policy"]) == ("gateway-1", "room-3", "two-choices")
    assert {each["node"] for each in said["candidates"]} == {"node-1", "node-2"}
