"""The balancer's lease between members of wire versions that do not fit: one gateway leads, of the greater part.

All versions compete for one lease (PROTOCOL.md P-9.1). Who cannot read the others neither takes nor keeps it.
"""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress

import pytest

from integration.system.conftest import SOON
from integration.system.witness import until
from support.fleet.kind import running_fleet
from support.system import System, running_system
from support.versioned_member import VersionedMember

pytestmark = pytest.mark.timeout(240)

PATIENCE_S = 60.0
LEASE_S = 2.0
SETTINGS = {**SOON, "RINGWAY_BALANCE_LEASE_S": str(LEASE_S)}
TOGETHER_S = 5.0
"""Two gateways that say for longer that they lead both do: each looks at the lease once a second."""

OLD, LATER, BOTH = "2-2", "3-3", "2-3"


class Cluster:
    """Members that share an engine and a cluster name. `watch` sees whether two gateways lead at one time."""

    def __init__(self, system: System, name: str) -> None:
        self._system = system
        self._flags = ("--cluster", name)
        self._members: dict[str, VersionedMember] = {}
        self._gateways: dict[str, VersionedMember] = {}
        self.together: list[list[str]] = []
        """The gateways that led together, for longer than `TOGETHER_S`."""

    def start(self, role: str, speaks: str, name: str) -> VersionedMember:
        """Start a member; its end comes with that of the cluster, if not before."""
        member = VersionedMember(self._system, role, speaks, name, *self._flags)
        self._members[name] = member
        if role == "gateway":
            self._gateways[name] = member
        return member

    async def stop(self, *names: str) -> None:
        """End members in good order, and wait for that."""
        for name in names:
            self._gateways.pop(name, None)
            await asyncio.to_thread(self._members[name].stop)

    def leaders(self) -> list[str]:
        """Return the gateways that lead, in the order of their names."""
        return sorted(name for name, gateway in self._gateways.items() if gateway.leads())

    async def led_by(self, name: str, why: str) -> None:
        """Wait until the gateway `name` leads alone."""
        await until(lambda: self.leaders() == [name], f"{name} to lead: {why}", PATIENCE_S)

    async def watch(self) -> None:
        """Look until cancelled."""
        since: float | None = None
        while True:
            leaders = await asyncio.to_thread(self.leaders)
            if len(leaders) < 2:
                since = None
            elif since is None:
                since = time.monotonic()
            elif time.monotonic() - since > TOGETHER_S:
                self.together.append(leaders)
            await asyncio.sleep(0.2)

    def close(self) -> None:
        """End all members, and show their logs."""
        for member in self._members.values():
            if member.process.poll() is None:
                member.stop()
            sys.stdout.write(f"--- {member.name}\n{member.log()}\n")

    def tracebacks(self) -> list[str]:
        """Return the members that have logged one."""
        return [name for name, member in self._members.items() if "Traceback" in member.log()]


@pytest.fixture(scope="module", params=["nats", "redis"])
def system(request: pytest.FixtureRequest) -> Iterator[System]:
    """An engine, and the state by which members find it."""
    with running_fleet(request.param) as fleet, running_system(nodes=0, fleet=fleet, environ=SETTINGS) as running:
        yield running


@pytest.fixture
async def cluster(system: System, request: pytest.FixtureRequest) -> AsyncIterator[Cluster]:
    """A cluster of this test, in which no two gateways lead and no member logs a traceback."""
    cluster = Cluster(system, request.node.originalname.replace("_", "-")[:32])
    watching = asyncio.create_task(cluster.watch())
    try:
        yield cluster
    finally:
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching
        await asyncio.to_thread(cluster.close)
    assert cluster.together == []
    assert cluster.tracebacks() == []


async def is_isolated(member: VersionedMember) -> None:
    what = f"{member.name} to be isolated"
    await until(lambda: "of another wire version" in member.readiness()[1], what, PATIENCE_S)
    assert member.readiness()[0] == 503


async def test_the_greater_part_leads_and_the_other_gives_the_lease_up(cluster: Cluster) -> None:
    new = cluster.start("gateway", LATER, "new")
    cluster.start("node", LATER, "new-node")
    await cluster.led_by("new", "there is nobody else")
    old = cluster.start("gateway", OLD, "old")
    await is_isolated(old)
    assert cluster.leaders() == ["new"]
    cluster.start("node", OLD, "old-1")
    cluster.start("node", OLD, "old-2")
    await cluster.led_by("old", "three members are of its version, and two of the other")
    assert "3 members of this cluster speak another wire version" in new.health()
    assert new.nodes() == ["new-node"]

    await cluster.stop("new-node")
    await is_isolated(new)
    await cluster.stop("old")
    free_until = time.monotonic() + 3 * LEASE_S
    while time.monotonic() < free_until:
        assert cluster.leaders() == [], "a gateway that believes nobody leaves the lease alone, also if it is free"
        await asyncio.sleep(0.2)
    assert "must not lead" in new.health()

    await cluster.stop("old-1", "old-2")
    await cluster.led_by("new", "the last member of the other version is gone")


async def test_the_lease_follows_the_version_that_all_members_read(cluster: Cluster) -> None:
    both = cluster.start("gateway", BOTH, "both")
    cluster.start("node", BOTH, "node")
    cluster.start("node", OLD, "old")
    await until(lambda: both.nodes() == ["node", "old"], "the nodes", PATIENCE_S)
    await cluster.led_by("both", "it is the only gateway")
    later = cluster.start("gateway", LATER, "later")
    await is_isolated(later)
    assert cluster.leaders() == ["both"]

    await cluster.stop("old")
    await until(lambda: later.readiness()[0] == 200 and later.nodes() == ["node"], "all to go over", PATIENCE_S)
    assert cluster.leaders() == ["both"], "it keeps the lease"
    await cluster.stop("both")
    await cluster.led_by("later", "it reads all members, and the other gateway is gone")

    again = cluster.start("gateway", BOTH, "again")
    await until(lambda: again.readiness()[0] == 200 and again.nodes() == ["node"], "a gateway of both", PATIENCE_S)
    assert cluster.leaders() == ["later"]
    cluster.start("node", OLD, "older")
    await cluster.led_by("again", "an old member has joined, whose version the leader does not read")
    await is_isolated(later)
    assert again.nodes() == ["node", "older"]

    await cluster.stop("older")
    await until(lambda: later.readiness()[0] == 200 and later.nodes() == ["node"], "all to go over again", PATIENCE_S)
    await cluster.led_by("again", "it keeps the lease")
