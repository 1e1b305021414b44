"""Member in a process of its own, in a different network namespace."""

import asyncio
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import msgspec

from integration.engine.record import Record
from support.netns import Namespace

BEGIN_S = 30.0
ANSWER_S = 10.0
RECORD_BYTES_MAX = 64 << 20
TESTS = Path(__file__).parents[2]


class FarMember:
    """A member in another process; made by `far_member`."""

    def __init__(self, process: Process) -> None:
        self._process = process

    async def begun(self) -> None:
        """Return when it follows all channels."""
        await self._line(BEGIN_S)

    def halt(self) -> None:
        """Stop its new publications."""
        self._tell(b"halt\n")

    async def record(self) -> Record:
        """Return its record until now."""
        self._tell(b"record\n")
        return msgspec.json.decode(await self._line(ANSWER_S), type=Record)

    def _tell(self, word: bytes) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(word)

    async def _line(self, within_s: float) -> bytes:
        assert self._process.stdout is not None
        async with asyncio.timeout(within_s):
            line = await self._process.stdout.readline()
        assert line, "the far member has ended"
        return line


@asynccontextmanager
async def far_member(place: Namespace, settings: msgspec.Struct) -> AsyncIterator[FarMember]:
    """Run a member in `place` for the block; it has begun when the block does."""
    said = msgspec.json.encode(settings).decode()
    command = place.enter(sys.executable, "-m", "integration.engine.member", said)
    path = os.pathsep.join([str(TESTS), *(each for each in sys.path if each)])
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=PIPE,
        stdout=PIPE,
        stderr=DEVNULL,
        env={**os.environ, "PYTHONPATH": path},
        limit=RECORD_BYTES_MAX,
    )
    member = FarMember(process)
    try:
        await member.begun()
        yield member
    finally:
        assert process.stdin is not None
        process.stdin.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(ANSWER_S):
                await process.wait()
        if process.returncode is None:
            process.kill()
            await process.wait()
