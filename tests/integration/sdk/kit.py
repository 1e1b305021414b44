"""Runs the official SDKs, unmodified, as their own processes. `url` is any ws URL: of a node, or of a gateway."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from support.npm import install_packages

HERE = Path(__file__).parent
EXCHANGE_S = 30
MOVES_S = 90


async def install_javascript() -> None:
    """Install what package-lock.json says, unless that has been done."""
    await asyncio.to_thread(install_packages, HERE)


async def exchange_javascript(url: str, channel: str, count: int) -> dict[str, Any]:
    """Let two clients of npm's `centrifuge` exchange `count` publications; return what each received."""
    return json.loads(await _run(EXCHANGE_S, "node", "exchange.mjs", url, channel, str(count)))  # type: ignore[no-any-return]


async def exchange_python(url: str, channel: str, count: int) -> dict[str, Any]:
    """Let two clients of PyPI's `centrifuge-python` exchange `count` publications; return what each received."""
    return json.loads(await _run(EXCHANGE_S, sys.executable, "exchange.py", url, channel, str(count)))  # type: ignore[no-any-return]


async def subscribe_since_the_beginning(url: str, channel: str, epoch: str, count: int) -> dict[str, Any]:
    """Let a client of npm's `centrifuge` subscribe since the offset 0; return what it was told and received."""
    return json.loads(await _run(EXCHANGE_S, "node", "since.mjs", url, channel, epoch, str(count)))  # type: ignore[no-any-return]


async def call_methods(*program: str, url: str) -> dict[str, Any]:
    """Let a client of an SDK call methods; return the answers, and the order in which results came."""
    return json.loads(await _run(EXCHANGE_S, *program, url))  # type: ignore[no-any-return]


async def publish_and_leave(*program: str, url: str, channel: str, count: int) -> None:
    """Let `count` clients of an SDK publish their number to `channel`, and disconnect at once."""
    await _run(EXCHANGE_S, *program, url, channel, str(count))


async def run_library(library: str, gateway: str, count: int) -> dict[str, Any]:
    """Let `library` send and receive `count` numbers over RingwaySocket; return what it received and saw."""
    found = await _run(MOVES_S, "node", "libraries.mjs", library, gateway, str(count))
    return json.loads(found)  # type: ignore[no-any-return]


def check_exchange(seen: dict[str, Any], count: int) -> None:
    """Assert that both clients received everything, in order, and that the second had unsubscribed before the last."""
    numbers = list(range(count + 2))
    assert [publication["data"]["n"] for publication in seen["one"]] == numbers
    assert [publication["data"]["n"] for publication in seen["two"]] == numbers[:-1]
    assert seen["one"][0]["data"]["text"] == "grüße"
    publishers = [publication["client"] for publication in seen["one"]]
    assert publishers[:count] == [publishers[0]] * count
    assert publishers[count] != publishers[0]


class Follower:
    """A client of an SDK in a process of its own that stays subscribed: `async with` until it is subscribed."""

    def __init__(self, *command: str) -> None:
        self._command = command

    @classmethod
    def javascript(cls, url: str, channel: str) -> "Follower":
        """A client of npm's `centrifuge`."""
        return cls("node", "recover.mjs", url, channel)

    @classmethod
    def python(cls, url: str, channel: str) -> "Follower":
        """A client of PyPI's `centrifuge-python`."""
        return cls(sys.executable, "recover.py", url, channel)

    async def __aenter__(self) -> "Follower":
        self._process = await asyncio.create_subprocess_exec(
            *self._command, cwd=HERE, stdout=asyncio.subprocess.PIPE, limit=2**20
        )
        assert (await self._line())["ready"]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()

    async def seen(self) -> dict[str, Any]:
        """What it has seen when the publication "end" has come to it."""
        return await self._line()

    async def _line(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        async with asyncio.timeout(EXCHANGE_S):
            return json.loads(await self._process.stdout.readline())  # type: ignore[no-any-return]


def check_recovered(seen: dict[str, Any], count: int) -> None:
    """Assert that everything came, in order and once, and that the SDK was told that nothing is missing."""
    assert [publication["data"] for publication in seen["received"]] == [*range(count), "end"]
    offsets = [publication["offset"] for publication in seen["received"]]
    assert offsets == sorted(set(offsets))
    first, *later = seen["subscribed"]
    assert not first["wasRecovering"]
    assert later
    assert all(one["wasRecovering"] and one["recovered"] for one in later)
    assert all(one["recoverable"] and one["positioned"] for one in seen["subscribed"])
    assert seen["unsubscribed"] == []
    assert seen["history"] == ["end"]


async def _run(deadline_s: float, *command: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *command, cwd=HERE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(deadline_s):
            out, err = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        raise
    assert process.returncode == 0, f"{command}: {out.decode()}{err.decode()}"
    return out.decode()
