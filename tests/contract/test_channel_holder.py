"""The contract of holders, over a channel node on real sockets."""

import asyncio
import time
from collections.abc import AsyncIterator
from random import Random

import pytest

from integration.node.kit import KEYRING, N1, N2, PATH, SIGNER, Peer
from ringway.engine.memory.engine import MemoryHub
from ringway.member.sent_moves import SentMoves
from ringway.node.config.node import NodeConfig
from ringway.node.holder import ChannelHolder
from ringway.node.server import ChannelNode
from ringway.protocol.ticket import TicketKind
from ringway.testing.holder_contract import HolderContract
from ringway.types import Incarnation, Issuer

LATE_S = 60.0


class Client:
    def __init__(self, peer: Peer) -> None:
        self._peer = peer

    async def wait_closed(self) -> None:
        await self._peer.closed()
        self._peer.abort()

    async def leave(self) -> None:
        self._peer.abort()

    async def ignore_close(self) -> None:
        """By hand: a peer answers what it reads, and it reads nothing."""


class NodeWorld:
    def __init__(self) -> None:
        hub = MemoryHub()
        config = NodeConfig(insecure=True, allowed_hosts=("*",), close_deadline_s=LATE_S, stop_deadline_s=0.5)
        self.node = ChannelNode(config, N1, Incarnation("00000001"), hub.open(), KEYRING, rng=Random(1))
        self.other = ChannelNode(config, N2, Incarnation("00000002"), hub.open(), KEYRING, rng=Random(2))
        self.holder = ChannelHolder(self.node.clients, self.node.stats)
        self._peers: list[Peer] = []

    @property
    def sent(self) -> SentMoves:
        return self.node.sent

    def now(self) -> float:
        return time.monotonic()

    async def start(self) -> None:
        await asyncio.gather(self.node.start(), self.other.start())

    async def open(self, *, is_moved: bool = False) -> Client:
        nonce = len(self._peers).to_bytes(8, "big")
        ticket = SIGNER.issue(N1, Issuer("00000002"), nonce, time.time(), kind=TicketKind.MOVE)
        peer = await Peer.open(self.node.port, f"{PATH}?ticket={ticket}" if is_moved else PATH)
        self._peers.append(peer)
        await peer.connect()
        return Client(peer)

    async def close(self) -> None:
        for peer in self._peers:
            peer.abort()
        await asyncio.gather(self.node.stop(), self.other.stop())


class TestChannelHolder(HolderContract):
    @pytest.fixture
    async def world(self) -> AsyncIterator[NodeWorld]:
        world = NodeWorld()
        await world.start()
        yield world
        await world.close()
