"""Members of the last release and of this one in one system: publications, tickets, moves and drains between them.

The code of the last release is that of the commit in `tests/conformance/members/LAST`.
"""

import asyncio
import re
import urllib.request
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager

import pytest

import ringway
from integration.system.conftest import SOON
from integration.system.witness import until
from ringway.client import ClientConfig, Connected, Disconnected, Event
from support.last_version import last_commit, unpack, why_not_here
from support.system import NODE_PORTS, System, free_port, running_system

pytestmark = [
    pytest.mark.timeout(240),
    pytest.mark.skipif(bool(why_not_here()), reason=f"{why_not_here()}: no members of {last_commit()}"),
]

CLIENTS = 8
PATIENCE_S = 60.0
SETTINGS = {
    **SOON,
    "RINGWAY_ENGINE_SECRET": "given to all, since releases differ in what `up` writes for others",
    "RINGWAY_NODE_MOVE_COOL_DOWN_S": "0",
    "RINGWAY_NODE_NAMESPACES": "plain:history_size=0 kept:history_size=10000",
}
CHANNELS = ("plain:room", "kept:room")
"""What is lost of the first is lost for good: a client that reconnects cannot get it from history."""

OLD, NEW = "old", "new"


class Talker:
    """A client that publishes numbers in each channel, and receives those of all."""

    def __init__(self, url: str, number: int) -> None:
        self.events: list[Event] = []
        self.received: dict[tuple[str, int], list[int]] = defaultdict(list)
        self.sent = dict.fromkeys(CHANNELS, 0)
        self._number = number
        self.client = ringway.Client(url, config=ClientConfig(moves_burst=100), on_event=self.events.append)

    async def listen(self) -> None:
        """Subscribe to the channels; return when that is confirmed."""
        for channel in CHANNELS:
            await self.client.subscribe(channel, on_publication=self._receiver(channel)).wait_confirmed()

    def _receiver(self, channel: str) -> "ringway.client.channels.OnPublication":
        def receive(publication: ringway.Publication) -> None:
            sender, number = publication.data
            self.received[channel, sender].append(number)

        return receive

    async def talk(self, over: asyncio.Event) -> None:
        """Publish in each channel, one publication after the other, until it is over."""
        while not over.is_set():
            for channel in CHANNELS:
                await self.client.publish(channel, [self._number, self.sent[channel]])
                self.sent[channel] += 1
            await asyncio.sleep(0.05)

    @property
    def unkept(self) -> list[Event]:
        """The events that a client does not see whose session goes on: connected anew, disconnected."""
        return [event for event in self.events if isinstance(event, Connected | Disconnected)][1:]


class Pair:
    """Two nodes of one system, started one after the other."""

    def __init__(self, system: System) -> None:
        self.system = system
        self._admin: dict[str, int] = {}

    async def start(self, name: str, environ: Mapping[str, str]) -> None:
        """Start a node, and wait until the gateway gives it clients."""
        self._admin[name] = free_port()
        ports = ("--port", str(free_port(NODE_PORTS)), "--admin-port", str(self._admin[name]))
        self.system.start("node", "--name", name, *ports, environ=environ)
        await until(lambda: name in self.system.nodes() and self.system.is_ready(), name)

    def connections(self) -> dict[str, int]:
        """Return how many clients each node has."""
        return {name: node["connections"] for name, node in self.system.nodes().items()}

    async def hold(self, counts: Mapping[str, int], what: str) -> None:
        """Wait until the nodes have so many clients."""
        await until(lambda: self.connections() == counts, what, PATIENCE_S)

    async def share(self, counts: Mapping[str, int], what: str) -> None:
        """Have the leader move clients until the nodes have so many."""
        async with asyncio.timeout(PATIENCE_S):
            while "The balancer has begun" not in await asyncio.to_thread(self.system.ringway, "rebalance"):
                await asyncio.sleep(0.5)
        await self.hold(counts, what)

    def count(self, name: str, metric: str) -> int:
        """Return a counter of a node."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self._admin[name]}/metrics", timeout=10) as answer:
            found = re.search(rf"^ringway_node_{metric}_total(?:{{.*}})? (\S+)$", answer.read().decode(), re.MULTILINE)
        assert found is not None, metric
        return int(float(found[1]))


@asynccontextmanager
async def talking(url: str) -> AsyncIterator[list[Talker]]:
    """Clients that publish and receive until the end of the block; then nothing was lost, doubled or out of order."""
    over = asyncio.Event()
    async with AsyncExitStack() as stack, asyncio.TaskGroup() as group:
        talkers = [Talker(url, number) for number in range(CLIENTS)]
        for talker in talkers:
            await stack.enter_async_context(talker.client)
            await talker.listen()
        publishing = [group.create_task(talker.talk(over)) for talker in talkers]
        try:
            yield talkers
        finally:
            over.set()
        await asyncio.wait(publishing)
        expected = {
            (channel, number): list(range(talker.sent[channel]))
            for number, talker in enumerate(talkers)
            for channel in CHANNELS
        }
        for talker in talkers:
            await until(lambda talker=talker: sizes(talker.received) == sizes(expected), "the last publications")
            assert talker.received == expected


def sizes(numbers: Mapping[tuple[str, int], list[int]]) -> dict[tuple[str, int], int]:
    return {key: len(each) for key, each in numbers.items()}


@pytest.fixture(scope="module")
def last(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """The environment of processes of the last release."""
    return unpack(tmp_path_factory.mktemp("last"))


@pytest.fixture(params=[(NEW, OLD, NEW), (OLD, OLD, NEW), (OLD, NEW, NEW)], ids="-".join)
def ages(request: pytest.FixtureRequest) -> tuple[str, str, str]:
    """The ages of the gateway (with its NATS), and of two nodes."""
    found: tuple[str, str, str] = request.param
    return found


@pytest.fixture
def system(ages: tuple[str, str, str], last: Mapping[str, str]) -> Iterator[System]:
    with ExitStack() as stack:
        environ = last if ages[0] == OLD else {}
        yield stack.enter_context(running_system(nodes=0, environ=SETTINGS, up_environ=environ))


async def test_members_of_the_last_release_and_of_this_one_are_one_system(
    system: System, ages: tuple[str, str, str], last: Mapping[str, str]
) -> None:
    """Clients come to the first node, are shared with the second, and each node is drained in turn: moves both ways."""
    pair = Pair(system)
    first, second = names = "first", "second"
    environs = [last if age == OLD else {} for age in ages[1:]]
    await pair.start(first, environs[0])
    async with talking(system.gateway_url) as talkers:
        await pair.hold({first: CLIENTS}, "all clients at the first node, by tickets of the gateway")
        await pair.start(second, environs[1])
        half = {first: CLIENTS // 2, second: CLIENTS // 2}
        await pair.share(half, "moves to the second node")
        for donor, target in ((second, first), (first, second)):
            await asyncio.to_thread(system.ringway, "drain", donor)
            await pair.hold({donor: 0, target: CLIENTS}, f"the drain of the {donor} node")
            await asyncio.to_thread(system.ringway, "undrain", donor)
            await pair.share(half, f"moves back to the {donor} node")
        assert [talker.unkept for talker in talkers] == [[]] * CLIENTS
        moves = sum(talker.client.moves for talker in talkers)
        assert moves >= CLIENTS // 2 * 5
    assert sum(pair.count(name, "handovers") for name in names) == moves
    assert sum(pair.count(name, "sessions_resumed") for name in names) == moves
    assert [pair.count(name, "handovers_failed") for name in names] == [0, 0]
