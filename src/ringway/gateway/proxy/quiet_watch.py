"""Wait for a quiet moment of a relay: reads in place of the node's end, and records the sender; `core.quiet` decides.

A question that crosses with the cut is lost: no gateway can know of it. On a busy machine two more may be lost, and are
not: one that has arrived, but was not read yet, ends the quiet moment (`net.unread`); and an answer behind which the
relay is cut leaves together with the client's close frame (`net.cork`), so that the client is not given the time to ask
between the two.
"""

import asyncio
from collections.abc import Callable

from ringway.core.quiet import Quiet
from ringway.gateway.proxy.relay_end import RelayEnd
from ringway.net.cork import corked
from ringway.net.unread import unread_bytes
from ringway.protocol.frame import is_control

CONFIRM_S = 0.005
"""The pause between two checks that must agree, so that the loop reads its sockets in between."""


class QuietWatch(asyncio.Protocol):
    """Calls `on_quiet` at a quiet moment, in which both ends are between two messages. `end_watch` cancels it."""

    __slots__ = ("_confirms", "_loop", "_node", "_on_quiet", "_over", "_quiet", "_timer")

    def __init__(self, node: RelayEnd, quiet_s: float, deadline_s: float, on_quiet: Callable[[], None]) -> None:
        self._node = node
        self._on_quiet = on_quiet
        self._loop = asyncio.get_running_loop()
        self._quiet = Quiet(self._loop.time(), quiet_s, deadline_s)
        self._over = False
        self._confirms = False  # True if the timer is for the second of two checks
        self._wait()
        node.transport.set_protocol(self)

    def end_watch(self) -> None:
        """Stop reading in place of the node's end. Idempotent."""
        if self._over:
            return
        self._over = True
        self._timer.cancel()
        if not (self._node.is_lost or self._node.transport.is_closing()):
            self._node.transport.set_protocol(self._node)

    def on_client_data(self, data: bytes) -> None:
        """Record that the client has sent `data`."""
        if not is_control(data):
            self._quiet.client_spoke(self._loop.time())

    def _wait(self) -> None:
        self._timer = self._loop.call_later(self._quiet.next_s(self._loop.time()), self._check)

    def _check(self) -> None:
        """Check again after the loop has read its sockets: a busy loop does not prove silence."""
        if self._is_quiet():
            self._confirm_soon()
        else:
            self._wait()

    def _confirm_soon(self) -> None:
        if not self._confirms:  # a node that always sends does not delay the check
            self._confirms = True
            self._timer.cancel()
            self._timer = self._loop.call_later(CONFIRM_S, self._confirm)

    def _check_earlier(self) -> None:
        """Check at the first quiet moment after an answer: the client becomes more likely to send with each moment."""
        due_at = self._loop.time() + self._quiet.next_s(self._loop.time())
        if due_at < self._timer.when():
            self._timer.cancel()
            self._wait()

    def _confirm(self) -> None:
        self._confirms = False
        if self._is_quiet():
            self._on_quiet()
        else:
            self._wait()

    def _is_quiet(self) -> bool:
        ends = (self._node, self._node.other)
        at_rest = all(end.tracker.between_messages and not end.transport.get_write_buffer_size() for end in ends)
        is_quiet = at_rest and self._quiet.is_quiet(self._loop.time())
        return is_quiet and not unread_bytes(self._node.other.transport)

    # In place of the node's end.

    def data_received(self, data: bytes) -> None:
        """Relay the next bytes, and check for the end of an answer, behind which the relay may be cut."""
        if self._quiet.cuts_behind_answers(self._loop.time()):
            with corked(self._node.other.transport):
                self._relay(data)
        else:
            self._relay(data)

    def _relay(self, data: bytes) -> None:
        """Relay `data` of the node, and cut behind it, or check soon.

        The client may have sent bytes that are not read yet: if its silence counts, they are read first.
        """
        self._node.data_received(data)
        if not is_control(data):
            self._quiet.node_spoke(self._loop.time())
            if self._over:
                return
            if not self._is_quiet():
                self._check_earlier()
            elif self._quiet.cuts_behind_answers(self._loop.time()):
                self._on_quiet()
            else:
                self._confirm_soon()

    def pause_writing(self) -> None:
        """Stop reading from the client: the node's buffer is full."""
        self._node.pause_writing()

    def resume_writing(self) -> None:
        """Go on reading from the client."""
        self._node.resume_writing()

    def eof_received(self) -> bool:
        """Report the end of the node's stream."""
        return self._node.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """Report the loss of the node."""
        self._node.connection_lost(exc)
