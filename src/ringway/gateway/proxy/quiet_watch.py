"""Waiting for the quiet moment of a tunnel: hears who speaks on it, in place of the node's end; `core.quiet` judges."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from ringway.core.quiet import Quiet
from ringway.protocol.frame import is_control

if TYPE_CHECKING:
    from ringway.gateway.proxy.relay_end import Side


CONFIRM_S = 0.005
"""Between two looks that must agree, so that the loop reads its sockets in between."""


class Watch(asyncio.Protocol):
    """See the module. Calls `found` at a quiet moment, in which both ends are between two messages; `end` ends it."""

    __slots__ = ("_clock", "_found", "_loop", "_node", "_over", "_quiet", "_timer")

    def __init__(self, node: "Side", quiet_s: float, deadline_s: float, found: Callable[[], None]) -> None:
        self._node = node
        self._found = found
        self._loop = asyncio.get_running_loop()
        self._quiet = Quiet(self._loop.time(), quiet_s, deadline_s)
        self._over = False
        self._wait()
        node.transport.set_protocol(self)

    def end(self) -> None:
        """Give the node's end back. Idempotent."""
        if self._over:
            return
        self._over = True
        self._timer.cancel()
        if not (self._node.lost or self._node.transport.is_closing()):
            self._node.transport.set_protocol(self._node)

    def client_spoke(self, data: bytes) -> None:
        """Take note of what the client has sent."""
        if not is_control(data):
            self._quiet.client_spoke(self._loop.time())

    def _wait(self) -> None:
        self._timer = self._loop.call_later(self._quiet.next_s(self._loop.time()), self._look)

    def _look(self) -> None:
        """Look once more after the loop has read what has come: it may have stood still, and nobody been silent."""
        if self._is_quiet():
            self._timer = self._loop.call_later(CONFIRM_S, self._look_again)
        else:
            self._wait()

    def _look_again(self) -> None:
        if self._is_quiet():
            self._found()
        else:
            self._wait()

    def _is_quiet(self) -> bool:
        ends = (self._node, self._node.other)
        at_rest = all(end.tracker.between_messages and not end.transport.get_write_buffer_size() for end in ends)
        return at_rest and self._quiet.is_quiet(self._loop.time())

    # In place of the node's end.

    def data_received(self, data: bytes) -> None:
        """Relay the next bytes, and see whether that was an answer to cut behind."""
        self._node.data_received(data)
        if not is_control(data):
            self._quiet.node_spoke(self._loop.time())
            if not self._over and self._is_quiet():
                self._found()

    def pause_writing(self) -> None:
        """Stop reading from the client: the node takes no more."""
        self._node.pause_writing()

    def resume_writing(self) -> None:
        """Go on reading from the client."""
        self._node.resume_writing()

    def eof_received(self) -> bool:
        """Take the end of the node's stream."""
        return self._node.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """Take note that the node is gone."""
        self._node.connection_lost(exc)
