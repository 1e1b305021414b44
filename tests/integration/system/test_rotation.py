"""The cluster's secret is changed in three steps at running members, one after the other, under traffic and moves."""

import asyncio
import os
import re
import subprocess
import urllib.request
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

import pytest

import ringway
from integration.system.witness import CHANNEL, Witness, until
from ringway.protocol.keyring import fingerprint_of
from support.nats_server import NatsServer
from support.system import RINGWAY, STOP_S, free_port, wait_for

OLD, NEW = "the old secret of this cluster", "the new secret of this cluster"
SETTINGS = {
    "RINGWAY_BALANCE_SETTLE_S": "1",
    "RINGWAY_NODE_MOVE_COOL_DOWN_S": "0.5",
    "RINGWAY_NODE_INSECURE": "true",
    "RINGWAY_NODE_NAMESPACES": f"{CHANNEL}:history_size=1000",
    "RINGWAY_ENGINE_HASH_SECRET": OLD,
    "RINGWAY_LOG_FORMAT": "json",
}
MEMBERS = ("gateway-1", "node-1", "node-2")
WRONG = ("messages_refused_total", "handshakes_refused_total", "resumes_failed_total")


class Member:
    """A process with files of secrets of its own, and what it says at its admin port."""

    def __init__(self, directory: Path, name: str, engine: str) -> None:
        directory.mkdir()
        self.name = name
        self.log = directory / "log"
        self.port, self.admin = free_port(), free_port()
        self._secret, self._previous = directory / "secret", directory / "previous"
        self.write(OLD, "")
        own = {"RINGWAY_ENGINE_URL": engine, "RINGWAY_MEMBER_NAME": name, "RINGWAY_ADMIN_PORT": str(self.admin)}
        own |= {"RINGWAY_ENGINE_SECRET_FILE": str(self._secret), "RINGWAY_STATE_DIR": str(directory)}
        self.environ = {**os.environ, **SETTINGS, **own, "RINGWAY_ENGINE_PREVIOUS_SECRET_FILE": str(self._previous)}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the process."""
        role = self.name.partition("-")[0]
        with self.log.open("wb") as log:
            command = [*RINGWAY, role, "--port", str(self.port)]
            self._process = subprocess.Popen(command, env=self.environ, stdout=log, stderr=log)

    def stop(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(STOP_S)

    def write(self, secret: str, previous: str) -> None:
        """Write both files, one after the other."""
        self._secret.write_text(secret)
        self._previous.write_text(previous)

    def command(self, *arguments: str) -> str:
        """Return what a command says that has the same files."""
        done = subprocess.run([*RINGWAY, *arguments], env=self.environ, capture_output=True, text=True, check=True)
        return done.stdout

    def metrics(self) -> dict[str, float]:
        """Return the metrics, by name with labels."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}/metrics", timeout=5) as answer:
            lines = answer.read().decode().splitlines()
        return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")}

    def believes(self, *secrets: str) -> bool:
        """Return True if its metrics show these secrets, the one that signs first."""
        shown = {name for name in self.metrics() if name.startswith("ringway_secret{")}
        uses = zip(("signs", "accepted"), secrets, strict=False)
        prints = ((use, fingerprint_of(secret.encode())) for use, secret in uses)
        return shown == {f'ringway_secret{{fingerprint="{shown}",use="{use}"}}' for use, shown in prints}

    def wrongs(self) -> dict[str, float]:
        """Return the counters that count refusals of messages, handshakes and sessions."""
        return {name: value for name, value in self.metrics().items() if any(wrong in name for wrong in WRONG)}


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[dict[str, Member]]:
    """A gateway and two nodes on a NATS server; and an operator, whose files commands use."""
    server = NatsServer(tmp_path / "nats", "n")
    server.start()
    engine = f"nats://127.0.0.1:{server.port}"
    members = {name: Member(tmp_path / name, name, engine) for name in (*MEMBERS, "operator")}
    try:
        for name in MEMBERS:
            members[name].start()
        for name in MEMBERS:
            wait_for(lambda name=name: members[name].believes(OLD), f"{name} to run", 60)
        wait_for(lambda: "active" in members["operator"].command("nodes"), "the nodes")
        yield members
    finally:
        for name in MEMBERS:
            with suppress(subprocess.TimeoutExpired):
                members[name].stop()
        server.kill()


class Traffic:
    """Clients that publish, come and go, while nodes are drained in turn. All that is not confirmed is a failure."""

    def __init__(self, url: str, operator: Member) -> None:
        self._url = url
        self._operator = operator
        self.published: list[str] = []
        self.newcomers = 0
        self.failures: list[str] = []

    async def publish(self, client: ringway.Client) -> None:
        """Publish without a pause; count what is confirmed."""
        while True:
            data = f"publication {len(self.published)}"
            await client.publish(CHANNEL, data)
            self.published.append(data)
            await asyncio.sleep(0.01)

    async def come_and_go(self) -> None:
        """Get a ticket, connect with it, publish once, and leave."""
        while True:
            events: list[object] = []
            async with ringway.Client(self._url, on_event=events.append) as client:
                try:
                    await client.publish("elsewhere", self.newcomers)
                except (ringway.RingwayError, TimeoutError) as error:
                    self.failures.append(f"{error!r} after {events}")
            self.newcomers += 1
            await asyncio.sleep(0.02)

    async def drain_in_turn(self) -> None:
        """Empty a node by moves, let it come back, and empty the other."""
        while True:
            for name in ("node-1", "node-2"):
                await asyncio.to_thread(self._operator.command, "drain", name)
                await asyncio.to_thread(self._operator.command, "undrain", name)


@asynccontextmanager
async def flowing(traffic: Traffic, publisher: ringway.Client) -> AsyncIterator[None]:
    """Let the traffic flow within the block. A failure of a part of it is a failure of the block."""
    jobs = [traffic.publish(publisher), traffic.come_and_go(), traffic.come_and_go(), traffic.drain_in_turn()]
    tasks = [asyncio.create_task(job) for job in jobs]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        traffic.failures += [repr(end) for end in ends if not isinstance(end, asyncio.CancelledError)]


def moves_of(crowd: list[Witness]) -> int:
    """Return how many moves the clients have made."""
    return sum(len(witness.nodes) - 1 for witness in crowd)


@pytest.mark.timeout(300)
async def test_no_ticket_is_refused_and_no_publication_lost_while_the_secret_changes(
    cluster: dict[str, Member],
) -> None:
    gateway, operator = cluster["gateway-1"], cluster["operator"]
    url = f"http://127.0.0.1:{gateway.port}"
    async with AsyncExitStack() as stack:
        crowd = [Witness(url) for _ in range(12)]
        for witness in crowd:
            await stack.enter_async_context(witness.client)
            await witness.listen()
        before = {name: await asyncio.to_thread(cluster[name].wrongs) for name in MEMBERS}
        traffic = Traffic(url, operator)
        async with flowing(traffic, crowd[0].client):
            for secret, previous in ((OLD, NEW), (NEW, OLD), (NEW, "")):
                for name in (*MEMBERS, "operator"):
                    cluster[name].write(secret, previous)
                    if name in MEMBERS:
                        ready = lambda name=name: cluster[name].believes(*filter(None, (secret, previous)))  # noqa: B023, E731
                        await asyncio.to_thread(wait_for, ready, f"{name} to take the secrets over")
                    done = moves_of(crowd)
                    await until(lambda done=done: moves_of(crowd) >= done + 2, "moves among members that differ")
        assert traffic.failures == []
        for witness in crowd:
            await until(lambda witness=witness: len(witness.received) >= len(traffic.published), "all publications")
            counts = Counter(map(str, witness.received))
            assert not [data for data in traffic.published if counts[data] != 1]
        assert not [end for witness in crowd for end in witness.ends]
        after = {name: await asyncio.to_thread(cluster[name].wrongs) for name in MEMBERS}
        assert after == before
    assert traffic.newcomers > 50
    for name in MEMBERS:
        log = cluster[name].log.read_text()
        assert len(re.findall("the cluster's secrets have changed", log)) == 3, log
        assert "not believed" not in log
        assert OLD not in log
        assert NEW not in log


async def test_nodes_lists_the_fingerprints_while_members_differ(cluster: dict[str, Member]) -> None:
    operator, old, new = cluster["operator"], fingerprint_of(OLD.encode()), fingerprint_of(NEW.encode())
    assert "secret" not in await asyncio.to_thread(operator.command, "nodes")
    for name in ("gateway-1", "node-1"):
        cluster[name].write(OLD, NEW)
        await asyncio.to_thread(wait_for, lambda name=name: cluster[name].believes(OLD, NEW), name)
    shown = await asyncio.to_thread(operator.command, "nodes")
    rows = {name: next(line for line in shown.splitlines() if line.startswith(f"{name} ")) for name in MEMBERS}
    assert f"{old} + {new}" in rows["gateway-1"]
    assert f"{old} + {new}" in rows["node-1"]
    assert old in rows["node-2"]
    assert new not in rows["node-2"]
