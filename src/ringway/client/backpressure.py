"""Backpressure of a wire: its writers wait while too much is unsent, and answers of which only the newest counts are
replaced instead of queued."""

import asyncio


class Backpressure:
    """The state of one wire's writing side. Belongs to one event loop.

    A transport is *congested* between `pause_writing` and `resume_writing` (asyncio's flow control).
    """

    __slots__ = ("_newest", "_room", "congested")

    def __init__(self) -> None:
        self.congested = False
        self._newest: dict[int, bytes] | None = None  # by opcode: the answer to send when the congestion ends
        self._room: asyncio.Future[None] | None = None  # done when writers may go on

    async def wait_room(self) -> None:
        """Return when writers may go on."""
        while self._room is not None:
            await asyncio.shield(self._room)

    def stop_writers(self) -> None:
        """Let `wait_room` wait from now on."""
        if self._room is None:
            self._room = asyncio.get_running_loop().create_future()

    def release_writers(self) -> None:
        """Release all writers in `wait_room`."""
        if self._room is not None:
            self._room.set_result(None)
            self._room = None

    def replace_newest(self, opcode: int, payload: bytes) -> None:
        """Store an answer until the congestion ends; it replaces the earlier answer of the same opcode."""
        if self._newest is None:
            self._newest = {}
        self._newest[opcode] = payload

    def take_newest(self) -> dict[int, bytes]:
        """Return the stored answers by opcode, and forget them."""
        newest, self._newest = self._newest, None
        return newest or {}
