"""The clients, judged by Autobahn's fuzzing server: none of its cases fails."""

import asyncio
import shutil
from itertools import count
from pathlib import Path

import pytest

import ringway
from integration.autobahn.kit import WHOLE, Verdict, fuzzing_server, read_verdicts

CLIENT = Path(__file__).parents[3] / "clients" / "typescript"
PARALLEL = 8
GOOD = {"OK", "NON-STRICT", "INFORMATIONAL"}

pytestmark = pytest.mark.timeout(3000 if WHOLE else 240)


def check(verdicts: dict[str, Verdict]) -> None:
    """Nothing fails, and every connection is ended as it should be."""
    assert len(verdicts) > 240
    assert {case: verdict for case, verdict in verdicts.items() if not GOOD.issuperset(verdict)} == {}


async def run(url: str, *, echo: bool) -> str | bytes:
    """Open `url` and echo until it is over; return the last message that was not echoed."""
    last: str | bytes = ""
    async with ringway.connect(url, max_size=None, open_timeout=60, ping_interval=None) as ws:
        try:
            while True:
                last = await ws.recv()
                if echo:
                    await ws.send(last)
        except ringway.ConnectionClosed:
            return last


async def test_the_socket_in_python(wstest: list[str], tmp_path: Path) -> None:
    async with fuzzing_server(wstest, tmp_path) as url:
        cases = int(await run(f"{url}/getCaseCount", echo=False))
        numbers = count(1)

        async def work() -> None:
            while (case := next(numbers)) <= cases:
                await run(f"{url}/runCase?case={case}&agent=python", echo=True)

        await asyncio.gather(*(work() for _ in range(PARALLEL)))
        await run(f"{url}/updateReports?agent=python", echo=False)
        check(read_verdicts(tmp_path, "python"))


@pytest.mark.skipif(
    shutil.which("node") is None or not (CLIENT / "dist").exists(),
    reason="needs Node.js and the built client; scripts/test sees to both",
)
async def test_the_socket_in_typescript(wstest: list[str], tmp_path: Path) -> None:
    """Over npm's `ws`: what is below the socket is not ours, that it passes everything on is."""
    async with fuzzing_server(wstest, tmp_path) as url:
        process = await asyncio.create_subprocess_exec(
            "node", "test/autobahn.mjs", url, "typescript", str(PARALLEL), cwd=CLIENT
        )
        try:
            assert await process.wait() == 0
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        check(read_verdicts(tmp_path, "typescript"))
