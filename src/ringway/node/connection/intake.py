"""Intake of messages: each is charged to the allowance of its client, and then carried out, refused, or waits.

A command or frame over the rate is refused with error 111, and a client that goes on regardless is closed with 3013.
Bytes over the rate are not refused, since a client cannot count them as the node does: nothing more is read until
they are paid for, so that the client's own system slows it down.
"""

import asyncio
from typing import TYPE_CHECKING

from ringway.node.connection.allowance import Pause
from ringway.node.connection.keepalive import Beat
from ringway.protocol.close import TOO_MANY_REQUESTS
from ringway.protocol.codec import PING

if TYPE_CHECKING:
    from ringway.node.connection.connection import Connection
    from ringway.node.shared import Shared

IGNORED_MAX = 4096
"""Frames that are read and dropped after a close, each 16 KiB counted as one more; then the connection is cut."""


class Intake:
    """Takes what the clients of a node send."""

    __slots__ = ("shared",)

    shared: "Shared"  # set once by the server: the two know each other

    def take(self, connection: "Connection", message: bytes) -> None:
        """Take one text message. Raise `ProtocolError` for what must end the connection."""
        lines = message.count(b"\n") + 1
        admitted = self.admit(connection, lines, message)
        if message == PING:
            if connection.beat is Beat.PINGED:
                connection.beat = Beat.ANSWERED
            return
        if not connection.is_usable:
            return
        connection.heard_at = self.shared.second
        if connection.allowance.receive(self.shared.clock(), len(message)) and not connection.is_paused_for(Pause.RATE):
            self._pace(connection)
        if admitted < lines:
            *within, over = message.split(b"\n", admitted)
            self.shared.workers.refuse(connection, over)
            message = b"\n".join(within)
        if message:
            self.shared.workers.take(connection, message)

    def admit(self, connection: "Connection", count: int, message: bytes = b"") -> int:
        """Return how many of `count` commands or frames are within the rate; close where the client goes on regardless.

        Subscribes are let off for as many as it may hold: it sends them all at once where it comes back.
        """
        config, allowance = self.shared.config, connection.allowance
        admitted = allowance.admit(self.shared.clock(), count)
        most = config.commands_burst
        if allowance.refused > most and message.count(b'"subscribe":') == count:
            most = max(most, config.subscriptions_max)
        if allowance.refused > most:
            connection.close(TOO_MANY_REQUESTS, f"more than {config.commands_per_s:g} commands and frames a second")
        return admitted

    def ignore(self, connection: "Connection", size: int) -> None:
        """Drop a frame of `size` bytes that came after the end; cut a client that hardly awaits our close frame."""
        allowance = connection.allowance
        if allowance.ignored > IGNORED_MAX:
            return  # it is cut; what was read before that still comes
        allowance.ignored += 1 + size // 16384
        if allowance.ignored > IGNORED_MAX:
            connection.cut()

    def _pace(self, connection: "Connection") -> None:
        """Read nothing more until the client's bytes are paid for."""
        owed_s = connection.allowance.received_due_s(self.shared.clock())
        if owed_s and connection.is_usable:
            connection.pause_reading(Pause.RATE)
            asyncio.get_running_loop().call_later(owed_s, self._pace, connection)
        else:
            connection.resume_reading(Pause.RATE)
