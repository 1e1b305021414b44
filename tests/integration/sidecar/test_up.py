"""`ringway join` beside `ringway up`: it finds the registration port and its token, and the server gets clients."""

import asyncio
import json
import signal
import subprocess
from pathlib import Path
from typing import Any

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from integration.backends.kit import listens
from integration.cli.kit import end, start
from integration.sidecar.kit import PATIENCE_S, UVICORN, free_port, join
from ringway.core.held_nodes import ORPHANED_S
from ringway.sidecar.registrar import Registrar, RegistrarRefused


async def echo(url: str) -> None:
    """Return when a message has come back, from the first attempt that reaches a server on."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                async with connect(url) as client:
                    await client.send("hello")
                    assert await client.recv() == "hello"
                    return
            except (OSError, InvalidHandshake, ConnectionClosed):
                await asyncio.sleep(0.1)


async def running_of(system: "subprocess.Popen[str]", state: Path) -> dict[str, Any]:
    """What a system that starts says of itself, when it runs."""
    async with asyncio.timeout(PATIENCE_S):
        while not (state / "up.json").exists():
            assert system.poll() is None
            await asyncio.sleep(0.05)
    running: dict[str, Any] = json.loads((state / "up.json").read_text())
    return running


async def test_a_server_joins_the_system_that_runs_here(tmp_path: Path) -> None:
    state, port = tmp_path / "state", free_port()
    system = start(state, "up", "--nodes", "0", "--port", str(port), "--admin-port", "0")
    try:
        running = await running_of(system, state)
        assert Path(running["registration_tokens_file"]).stat().st_mode & 0o777 == 0o600
        async with join(f"ws://127.0.0.1:{free_port()}", "--state", str(state), "--", *UVICORN) as sidecar:
            await sidecar.until(lambda: running["registration_url"] in sidecar.log)
            await echo(f"ws://127.0.0.1:{port}/")
            sidecar.process.send_signal(signal.SIGTERM)
            assert await sidecar.ended() == 0
    finally:
        code, _, errors = end(system)
    assert code == 0, errors


async def one_of_two_keeps_its_name(at: list[str], tokens: str) -> None:
    """Register two servers in the same moment, each at one of the ports `at`; return when one of them is refused."""
    registrars = [Registrar([url], tokens) for url in at]
    fields = [{"url": f"ws://127.0.0.1:{number}", "incarnation": f"{number}", "ttl_s": 60} for number in (1, 2)]

    async def refused(registrar: Registrar, fields: dict[str, Any]) -> bool:
        try:
            await registrar.register("two", fields)
        except RegistrarRefused as error:
            return "the name 'two' is held by ws://127.0.0.1:" in str(error)
        return False

    async with asyncio.timeout(PATIENCE_S):
        while not any(found := await asyncio.gather(*map(refused, registrars, fields))):
            await asyncio.sleep(0.05)
    for _ in range(20):
        assert found == await asyncio.gather(*map(refused, registrars, fields)), "the name went back"
    await registrars[found.index(False)].leave("two", fields[found.index(False)]["incarnation"], gone=True)


async def test_of_two_servers_with_one_name_at_two_gateways_one_is_refused(tmp_path: Path) -> None:
    """They start together; which gateway hears of the other's registration before it accepts its own, is open."""
    state, port, second = tmp_path / "state", free_port(), free_port()
    system = start(state, "up", "--nodes", "0", "--port", str(port), "--admin-port", "0")
    try:
        running = await running_of(system, state)
        gateway = start(
            state, "gateway", "--port", "0", "--admin-port", "0", "--registration-port", str(second),
            "--stop-deadline-s", "1",
        )  # fmt: skip
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not listens(second):
                    await asyncio.sleep(0.05)
            tokens, first = running["registration_tokens_file"], free_port(2)
            await one_of_two_keeps_its_name([running["registration_url"], f"http://127.0.0.1:{second}"], tokens)
            urls = [f"ws://127.0.0.1:{first + more}" for more in (0, 1)]
            common = ("--name", "one", "--token-file", tokens, "--ttl-s", "3", "--", *UVICORN)
            async with (
                join(urls[0], "--at", running["registration_url"], *common) as here,
                join(urls[1], "--at", f"http://127.0.0.1:{second}", *common) as there,
            ):
                refusal = "the name 'one' is held by"
                await here.until(lambda: refusal in here.log or refusal in there.log)
                loser, winner = (here, there) if refusal in here.log else (there, here)
                assert "registered at" in loser.log
                for _ in range(3):
                    await echo(f"ws://127.0.0.1:{port}/")
                winner.process.send_signal(signal.SIGTERM)
                assert await winner.ended() == 0
                assert refusal not in winner.log
                await loser.until(lambda: '"registered"' in loser.log.rpartition(refusal)[2])
                await echo(f"ws://127.0.0.1:{port}/")
        finally:
            end(gateway)
    finally:
        code, _, errors = end(system)
    assert code == 0, errors


async def test_a_server_outlives_the_gateway_where_it_registered(tmp_path: Path) -> None:
    """Its client is at a different gateway, and notices nothing: the server registers there before it is forgotten."""
    state, port, second = tmp_path / "state", free_port(), free_port()
    system = start(state, "up", "--nodes", "0", "--port", str(port), "--admin-port", "0")
    try:
        running = await running_of(system, state)
        gateway = start(
            state, "gateway", "--port", "0", "--admin-port", "0", "--registration-port", str(second),
            "--stop-deadline-s", "1",
        )  # fmt: skip
        async with asyncio.timeout(PATIENCE_S):
            while not listens(second):
                await asyncio.sleep(0.05)
        other, tokens = f"http://127.0.0.1:{second}", running["registration_tokens_file"]
        async with (
            join(
                f"ws://127.0.0.1:{free_port()}", "--at", other, "--at", running["registration_url"],
                "--token-file", tokens, "--ttl-s", "5", "--", *UVICORN,
            ) as sidecar,
        ):  # fmt: skip
            try:
                await sidecar.until(lambda: "registered" in sidecar.log)
                url = f"ws://127.0.0.1:{port}/"
                await echo(url)
                async with connect(url) as client:
                    before = sidecar.log.count(running["registration_url"])
                    gateway.terminate()
                    await sidecar.until(lambda: sidecar.log.count(running["registration_url"]) > before)
                    over_at = asyncio.get_running_loop().time() + ORPHANED_S + 3.0
                    while asyncio.get_running_loop().time() < over_at:
                        await client.send("still there")
                        assert await client.recv() == "still there"
                        await asyncio.sleep(0.1)
            finally:
                end(gateway)
    finally:
        code, _, errors = end(system)
    assert code == 0, errors
