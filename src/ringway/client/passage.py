"""Passage of a wire between two connections: the messages that wait for the next connection, within a bound."""

import asyncio
from typing import TYPE_CHECKING

import picows

from ringway.protocol.frame import PING

if TYPE_CHECKING:
    from ringway.protocol.move import Move

HELD_BYTES_HIGH = 64 * 1024
"""Above this a writer waits for the end of the move: as much as a transport buffers before it pauses its writer."""


class Passage:
    """A move under way: the messages that wait for the next connection, and the task that opens it.

    Overflow rule: with more than `held_bytes_max` of messages the move is given up (`hold`).
    """

    __slots__ = ("_held", "_held_bytes_max", "_size", "closing", "move", "task")

    def __init__(self, move: "Move", task: "asyncio.Task[None]", held_bytes_max: int) -> None:
        self.move = move
        self.task = task
        self.closing: bytes | None = None
        """The payload of the close frame that is sent behind the held messages; None while the wire goes on."""
        self._held: list[tuple[int, bytes]] = []
        self._held_bytes_max = held_bytes_max
        self._size = 0

    @property
    def is_empty(self) -> bool:
        """True if no message is held."""
        return not self._held

    @property
    def is_full(self) -> bool:
        """True if a writer should wait for the end of the move."""
        return self._size > HELD_BYTES_HIGH

    def hold(self, opcode: int, payload: bytes) -> None:
        """Hold one message for the next connection. Pings are not held: the receiver repeats unanswered ones."""
        if opcode == PING:
            return
        self._size += len(payload)
        if self._size > self._held_bytes_max:
            self.task.cancel()  # the wire ends in the next turn; messages sent before that are lost with it
            return
        self._held.append((opcode, payload))

    def send_held(self, transport: picows.WSTransport) -> None:
        """Send the held messages over the next connection, in their order."""
        for opcode, payload in self._held:
            transport.send(picows.WSMsgType(opcode), payload)
