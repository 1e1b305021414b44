"""The wait for a quiet moment of a relay: reads in place of the node's end, and notes speech; `core.quiet` judges."""

import asyncio
from collections.abc import Callable

from ringway.core.quiet import Quiet
from ringway.gateway.proxy.relay_end import RelayEnd
from ringway.protocol.frame import is_control

CONFIRM_S = 0.005
"""Between two checks that must agree, so that the loop reads its sockets in between."""


class QuietWatch(asyncio.Protocol):
    """Calls `on_quiet` at a quiet moment, in which both ends are between two messages. `end_watch` gives up."""

    __slots__ = ("_loop", "_node", "_on_quiet", "_over", "_quiet", "_timer")

    def __init__(self, node: RelayEnd, quiet_s: float, deadline_s: float, on_quiet: Callable[[], None]) -> None:
        self._node = node
        self._on_quiet = on_quiet
        self._loop = asyncio.get_running_loop()
        self._quiet = Quiet(self._loop.time(), quiet_s, deadline_s)
        self._over = False
        self._wait()
        node.transport.set_protocol(self)

    def end_watch(self) -> None:
        """Give the node's end back. Idempotent."""
        if self._over:
            return
        self._over = True
        self._timer.cancel()
        if not (self._node.is_lost or self._node.transport.is_closing()):
            self._node.transport.set_protocol(self._node)

    def on_client_data(self, data: bytes) -> None:
        """Note that the client has sent `data`."""
        if not is_control(data):
            self._quiet.client_spoke(self._loop.time())

    def _wait(self) -> None:
        self._timer = self._loop.call_later(self._quiet.next_s(self._loop.time()), self._check)

    def _check(self) -> None:
        """Check again after the loop has read what has come: it may have been busy, and nobody silent."""
        if self._is_quiet():
            self._timer = self._loop.call_later(CONFIRM_S, self._confirm)
        else:
            self._wait()

    def _confirm(self) -> None:
        if self._is_quiet():
            self._on_quiet()
        else:
            self._wait()

    def _is_quiet(self) -> bool:
        ends = (self._node, self._node.other)
        at_rest = all(end.tracker.between_messages and not end.transport.get_write_buffer_size() for end in ends)
        return at_rest and self._quiet.is_quiet(self._loop.time())

    # In place of the node's end.

    def data_received(self, data: bytes) -> None:
        """Relay the next bytes, and check whether that was an answer to cut behind."""
        self._node.data_received(data)
        if not is_control(data):
            self._quiet.node_spoke(self._loop.time())
            if not self._over and self._is_quiet():
                self._on_quiet()

    def pause_writing(self) -> None:
        """Stop reading from the client: the node accepts no more."""
        self._node.pause_writing()

    def resume_writing(self) -> None:
        """Go on reading from the client."""
        self._node.resume_writing()

    def eof_received(self) -> bool:
        """Report the end of the node's stream."""
        return self._node.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """Report that the node is gone."""
        self._node.connection_lost(exc)
