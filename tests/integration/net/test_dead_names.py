"""Names that no name server answers, beside names that are known: in a namespace with a resolver of its own."""

import asyncio
import json
import tempfile
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve

from integration.net.place import PATIENCE_S, Place, lose_ipv6, place
from support.nats_server import NatsServer
from support.netns import why_not
from support.system import free_port

CLIENTS = 12
TOKEN = "r" * 20
SECRET = "0123456789abcdef"

pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not())


@pytest.fixture
def there(tmp_path: Path) -> Iterator[Place]:
    with place(tmp_path) as made:
        yield made


async def echo(connection: ServerConnection) -> None:
    async for message in connection:
        await connection.send(message)


async def status(url: str) -> int:
    def ask() -> int:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as refusal:
            return refusal.code
        except OSError:
            return 0

    return await asyncio.to_thread(ask)


async def eventually(true: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not await true():
            await asyncio.sleep(0.05)


async def ready(url: str) -> bool:
    return await status(f"{url}/readyz") == 200


async def states(admin: str) -> dict[str, str]:
    def ask() -> dict[str, str]:
        asked = urllib.request.Request(f"{admin}/v1/nodes", headers={"Authorization": f"Bearer {TOKEN}"})
        with urllib.request.urlopen(asked, timeout=5) as answer:
            return {row["name"]: row["state"] for row in json.load(answer)}

    return await asyncio.to_thread(ask)


async def let_in(url: str) -> bool:
    try:
        async with connect(url, open_timeout=PATIENCE_S) as client:
            await client.send("hello")
            return await client.recv() == "hello"
    except (OSError, TimeoutError):
        return False


@asynccontextmanager
async def gateway(there: Place, *backends: str) -> AsyncIterator[tuple[str, str]]:
    """Run a gateway inside; yield its URL and that of its admin port, with the host of both left out."""
    port, admin = free_port(), free_port()
    options = ["--host", "0.0.0.0", "--port", str(port), "--admin-host", "0.0.0.0", "--admin-port", str(admin)]
    listed = [word for backend in backends for word in ("--backend", backend)]
    with tempfile.NamedTemporaryFile("w") as tokens:
        tokens.write(TOKEN)
        tokens.flush()
        async with there.ringway("gateway", *options, *listed, "--admin-read-tokens-file", tokens.name):
            base = f"{there.inside.far}:{port}"
            await eventually(lambda: ready(f"http://{base}"))
            yield base, f"http://{there.inside.far}:{admin}"


async def engine(admin: str) -> str:
    """Return whether a member has its engine, by its admin port; empty where that does not answer."""

    def ask() -> str:
        try:
            with urllib.request.urlopen(f"{admin}/healthz", timeout=5) as answer:
                return str(json.load(answer)["engine"])
        except urllib.error.HTTPError as refusal:
            return str(json.load(refusal)["engine"])
        except OSError:
            return ""

    return await asyncio.to_thread(ask)


async def test_backends_whose_names_nobody_answers_shut_nobody_out(there: Place) -> None:
    """Three dead names; the C library has each wait for ten seconds, and an event loop's own lookups would all wait."""
    there.know({"good.test": [there.inside.near]})
    async with serve(echo, there.inside.near, 0) as backend:
        port = backend.sockets[0].getsockname()[1]
        dead = [f"ws://dead{number}.test:9000,name=dead{number}" for number in range(3)]
        async with gateway(there, f"ws://good.test:{port},name=good", *dead) as (base, admin):

            async def dead_are_out() -> bool:
                known = await states(admin)
                return all(known[f"dead{number}"] != "active" for number in range(3))

            await eventually(dead_are_out)
            assert (await states(admin))["good"] == "active"
            opened = await asyncio.gather(*(let_in(f"ws://{base}/") for _ in range(CLIENTS)))
            assert opened == [True] * CLIENTS
            assert (await states(admin))["good"] == "active"


async def test_an_address_that_is_silent_does_not_hide_another_of_the_same_name(there: Place) -> None:
    there.know({"both.test": ["fd77::1", there.inside.near]})
    lose_ipv6(there, "fd77::1")
    async with serve(echo, there.inside.near, 0) as backend:
        port = backend.sockets[0].getsockname()[1]
        async with gateway(there, f"ws://both.test:{port},name=both") as (base, admin):
            opened = await asyncio.gather(*(let_in(f"ws://{base}/") for _ in range(CLIENTS)))
            assert opened == [True] * CLIENTS
            assert (await states(admin))["both"] == "active"


async def test_nats_is_back_after_its_restart_beside_names_that_nobody_answers(there: Place, tmp_path: Path) -> None:
    server = NatsServer(tmp_path / "nats", "n", host=there.inside.near)
    there.know({"nats.test": [there.inside.near]})
    servers = f"dead1.test,nats.test:{server.port},dead2.test"
    admin = free_port()
    url = f"http://{there.inside.far}:{admin}"
    options = ["--host", "127.0.0.1", "--admin-host", "0.0.0.0", "--admin-port", str(admin)]
    server.start()
    try:
        async with there.ringway("node", "--engine", f"nats://{servers}", "--secret", SECRET, *options):
            for goal in ("up", "away", "up"):
                if goal == "away":
                    server.stop()
                elif not server.running:
                    server.start()

                async def reached(goal: str = goal) -> bool:
                    return await engine(url) == goal

                await eventually(reached)
    finally:
        server.stop()
