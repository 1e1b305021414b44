"""A client that follows moves with its session, by hand (PROTOCOL.md P-7.7, P-7.10): for the node's tests."""

import asyncio
import json
import struct
from typing import Any

from integration.node.kit import CLOSE, PATH, TEXT, Peer, frame
from ringway.node.server import ChannelNode
from ringway.protocol.move import Move, read_move

FOLLOWS = f"{PATH}?moves=1"

MARK = "k3-J9x_2"
"""What a follower may say in place of 1: it is told by a message that begins so, and answers with it."""


def resuming(move: Move, moves: str = "1") -> str:
    """The path of the WebSocket that a session goes on with."""
    return f"{PATH}?ticket={move.ticket}&resume=1&moves={moves}"


class Follower:
    """One session. `got` is all that its nodes sent, pings left out, in order."""

    def __init__(self, peer: Peer, nodes: dict[str, ChannelNode], mark: str = "") -> None:
        self.peer = peer
        self.nodes = nodes
        self.mark = mark
        self.got: list[dict[str, Any]] = []
        self.move: Move | None = None
        self._id = 0

    @classmethod
    async def open(
        cls, node: ChannelNode, *others: ChannelNode, channels: tuple[str, ...] = (), mark: str = ""
    ) -> "Follower":
        """Connect to `node` and subscribe; the session may go to `others`. With `mark` it is told by messages."""
        path = f"{PATH}?moves={mark}" if mark else FOLLOWS
        follower = cls(await Peer.open(node.port, path=path), {each.name: each for each in (node, *others)}, mark)
        follower.send(connect={})
        await follower.reply(1)
        for channel in channels:
            number = follower.send(subscribe={"channel": channel})
            assert "subscribe" in await follower.reply(number)
        return follower

    def send(self, **request: dict[str, Any]) -> int:
        """Send one command; return its id."""
        self._id += 1
        self.peer.send({"id": self._id, **request})
        return self._id

    async def read(self) -> None:
        """Read one frame; where it is a close, note the move that it tells."""
        opcode, payload = await self.peer.recv()
        if opcode == CLOSE:
            assert struct.unpack(">H", payload[:2])[0] == 1012, payload
            self.move = None if self.mark else read_move(payload[2:].decode())
            return
        if self.mark and payload.startswith(self.mark.encode()):
            self.move = read_move(payload.decode().removeprefix(f"{self.mark} "))
            return
        self.take(payload)

    def take(self, payload: bytes) -> None:
        """Note what one message holds."""
        for line in payload.split(b"\n"):
            if line == b"{}":
                self.peer.raw(frame(TEXT, b"{}"))
            else:
                self.got.append(json.loads(line))

    async def reply(self, number: int) -> dict[str, Any]:
        """Return the reply to a command, which is read for where it has not come."""
        while not (found := [line for line in self.got if line.get("id") == number]):
            await self.read()
            assert self.move is None, "moved while a reply was awaited"
        assert len(found) == 1
        return found[0]

    async def told_to_move(self) -> Move:
        """Read until the node says where to go; the close frame is not answered yet."""
        while self.move is None:
            await self.read()
        return self.move

    def answer(self, code: int = 0) -> None:
        """Answer the signal as is due, or say goodbye with `code`."""
        due = struct.pack(">H", 1000) + self.mark.encode() if self.mark else struct.pack(">H", 1012)
        self.peer.raw(frame(CLOSE, struct.pack(">H", code) if code else due))

    async def go_on(self) -> None:
        """Open the WebSocket that the session goes on with."""
        assert self.move is not None
        move, self.move = self.move, None
        self.peer.abort()
        self.peer = await Peer.open(self.nodes[move.node].port, path=resuming(move, self.mark or "1"))

    async def follow(self) -> None:
        """Do all that a move asks for."""
        await self.told_to_move()
        self.answer()
        await self.go_on()

    def data(self, channel: str) -> list[Any]:
        """What was published to `channel`, as it came."""
        pushes = [line["push"] for line in self.got if "push" in line]
        return [push["pub"]["data"] for push in pushes if push["channel"] == channel and "pub" in push]

    async def until(self, channel: str, last: object) -> list[Any]:
        """Read until `last` has come in `channel`, following moves; return all that did."""
        while last not in self.data(channel):
            await self.read()
            if self.move is not None:
                self.answer()
                await self.go_on()
        return self.data(channel)

    async def run(self, channel: str, last: object) -> list[Any]:
        """The same, within a deadline."""
        async with asyncio.timeout(60):
            return await self.until(channel, last)
