"""The contract of holders, over the holder in memory: the port is not made for the channel node alone."""

import time

import pytest

from ringway.member.sent_moves import SentMoves
from ringway.testing.holder_contract import HolderContract
from support.memory_holder import MemoryClient, MemoryHolder


class MemoryWorld:
    def __init__(self) -> None:
        self.sent = SentMoves(time.monotonic)
        self.holder = MemoryHolder(self.sent, time.monotonic)

    def now(self) -> float:
        return time.monotonic()

    async def open(self, *, is_moved: bool = False) -> MemoryClient:
        return self.holder.accept(is_moved=is_moved)


class TestMemoryHolder(HolderContract):
    @pytest.fixture
    def world(self) -> MemoryWorld:
        return MemoryWorld()
