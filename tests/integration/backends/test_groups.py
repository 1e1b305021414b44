"""Groups in one system on a real NATS: two groups of servers, and channel nodes beside them; nobody crosses."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration.backends.kit import Crowd, EchoServer
from integration.system.conftest import SOON
from integration.system.witness import Witness, until
from support.system import System, running_system

CLIENTS = 24
GROUPS = {"chat": ("chat-1", "chat-2", "chat-3"), "feed": ("feed-1", "feed-2", "feed-3")}

ROUTES = """
[[route]]
path = "/chat"
group = "chat"
policy = "least-connected"

[[route]]
path = "/feed"
group = "feed"
"""


class Backends:
    """Six servers in two groups, and the file that offers some of them."""

    def __init__(self, folder: Path) -> None:
        self.file, self.config = folder / "backends.json", folder / "ringway.toml"
        self.config.write_text(ROUTES)
        self.servers = {name: EchoServer(name, folder) for names in GROUPS.values() for name in names}

    def offer(self, *names: str) -> None:
        rows = [{"name": name, "url": self.servers[name].url, "group": name.partition("-")[0]} for name in names]
        self.file.write_text(json.dumps({"backends": rows}))


@pytest.fixture
def backends(tmp_path: Path) -> Iterator[Backends]:
    backends = Backends(tmp_path)
    for server in backends.servers.values():
        server.start()
    backends.offer("chat-1", "chat-2", "feed-1", "feed-2")
    yield backends
    for server in backends.servers.values():
        server.process.kill_all()


@pytest.fixture
def system(backends: Backends) -> Iterator[System]:
    arguments = (f"--backends={backends.file}", "--config", str(backends.config))
    with running_system(*arguments, nodes=2, environ=SOON) as running:
        yield running


def counts(system: System, group: str) -> dict[str, int]:
    return {name: node["connections"] for name, node in system.nodes().items() if node["group"] == group}


def seen(crowd: Crowd) -> set[str]:
    """Return all servers that have answered."""
    return {name for client in crowd.clients for name in client.servers}


async def test_groups_scale_drain_and_lose_servers_each_by_itself(system, backends):
    url = system.gateway_url.replace("http", "ws")
    witnesses = [Witness(system.gateway_url) for _ in range(8)]
    async with Crowd(CLIENTS, f"{url}/chat") as chat, Crowd(CLIENTS, f"{url}/feed/all") as feed:
        for witness in witnesses:
            await witness.client.open()
            await witness.listen()
        await until(lambda: sum(counts(system, "chat").values()) == CLIENTS, "the clients of chat")
        await until(lambda: sum(counts(system, "feed").values()) == CLIENTS, "the clients of feed")
        await until(lambda: sum(counts(system, "channels").values()) == len(witnesses), "the clients of channels")
        await until(lambda: all(client.servers for client in (*chat.clients, *feed.clients)), "the first answers")
        assert chat.moves == feed.moves == 0

        await asyncio.to_thread(system.ringway, "freeze", "--group", "feed", "--why", "a test")
        backends.offer("chat-1", "chat-2", "chat-3", "feed-1", "feed-2")
        await until(lambda: chat.spread["chat-3"] == CLIENTS / 3, "the share of chat-3")
        assert (feed.moves, feed.codes, chat.lost) == (0, {}, 0)
        with pytest.raises(RuntimeError, match="moves are frozen: an operator has frozen it: a test"):
            await asyncio.to_thread(system.ringway, "drain", "feed-1", "--within", "20s")
        await asyncio.to_thread(system.ringway, "unfreeze", "--group", "feed")
        await asyncio.to_thread(system.ringway, "policy", "set", "rendezvous", "--group", "feed")
        [gateway] = json.loads(await asyncio.to_thread(system.ringway, "policy", "--json"))
        policies = {each["group"]: each["policy"] for each in gateway["groups"]}
        assert policies == {"channels": "two-choices", "chat": "least-connected", "feed": "rendezvous"}
        with pytest.raises(RuntimeError, match="there is no group 'fed'; there are channels, chat, feed"):
            await asyncio.to_thread(system.ringway, "policy", "reset", "--group", "fed")
        await asyncio.to_thread(system.ringway, "policy", "reset", "--group", "feed")

        await asyncio.to_thread(system.ringway, "drain", "feed-1", "--within", "20s")
        await until(lambda: counts(system, "feed")["feed-1"] == 0, "feed-1 to be empty")
        await until(lambda: feed.spread.keys() == {"feed-2"}, "all clients of feed to be answered by feed-2")
        with pytest.raises(RuntimeError, match="no other node of the group feed takes connections"):
            await asyncio.to_thread(system.ringway, "drain", "feed-2")

        moved = chat.moves
        system.start("node")
        await until(lambda: len(counts(system, "channels")) == 3, "a third channel node")
        backends.servers["feed-2"].process.kill_all()
        await until(lambda: system.nodes()["feed-2"]["state"] == "down", "feed-2 to be down")
        await asyncio.to_thread(system.ringway, "rebalance")
        assert chat.moves == moved
        assert chat.codes == {}
        await asyncio.to_thread(system.ringway, "undrain", "feed-1")
        await until(lambda: feed.spread["feed-1"] == CLIENTS, "the clients of feed at feed-1")

        assert seen(chat) <= set(GROUPS["chat"])
        assert seen(feed) <= set(GROUPS["feed"])
        shown = await asyncio.to_thread(system.ringway, "nodes")
        assert "group" in shown.splitlines()[0]
        for witness in witnesses:
            await witness.client.close()
