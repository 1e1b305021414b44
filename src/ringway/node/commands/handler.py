"""Handler of clients' messages: each message is charged to its client, and then carried out, refused, or queued.

A command or frame over the rate is refused with error 111, and a client that goes on regardless is closed with 3013.
Bytes over the rate are not refused, since a client cannot count them as the node does: the node stops reading until
they are paid for, so that the client's own system slows it down.
"""

import asyncio
from collections.abc import Callable

from ringway.node.commands.context import CommandContext
from ringway.node.commands.queues import CommandQueues
from ringway.node.commands.subscribe import leave
from ringway.node.connection.allowance import SMALL_BYTES, Pause
from ringway.node.connection.command_queue import Goodbye
from ringway.node.connection.connection import Connection
from ringway.protocol.close import TOO_MANY_REQUESTS
from ringway.protocol.codec import PING


class ClientHandler:
    """Handles the connections of a node (`connection.handler.ConnectionHandler`)."""

    __slots__ = ("_clock", "_context", "_queues")

    def __init__(self, context: CommandContext, queues: CommandQueues, clock: Callable[[], float]) -> None:
        self._context = context
        self._queues = queues
        self._clock = clock

    def on_opened(self, connection: Connection) -> None:
        """Wait for the connect command."""

    def on_message(self, connection: Connection, message: bytes) -> None:
        """Handle one text message. Raise `ProtocolError` to end the connection."""
        lines = message.count(b"\n") + 1
        refused = connection.allowance.refused
        admitted = self._admit(connection, lines, message)
        if message == PING:
            connection.on_pong()
            return
        if not connection.is_usable:
            return
        connection.on_heard()
        if connection.allowance.receive(self._clock(), len(message)) and not connection.is_paused_for(Pause.RATE):
            self._pace(connection)
        if self._context.shares.has_rates:
            admitted = self._share(connection, admitted, message, refused)
        if admitted < lines:
            *within, over = message.split(b"\n", admitted)
            self._queues.refuse_frame(connection, over)
            message = b"\n".join(within)
        if message:
            self._queues.add_frame(connection, message)

    def on_frame(self, connection: Connection) -> bool:
        """Charge a control frame or a fragment; return True if it is within the rate."""
        return self._admit(connection, 1) == 1

    def on_ignored(self, connection: Connection, size: int) -> None:
        """Cut a client that goes on sending after the end."""
        if connection.allowance.ignore(size):
            connection.cut()

    def on_goodbye(self, connection: Connection, goodbye: Goodbye) -> None:
        """Close when the earlier commands are carried out."""
        self._queues.add_goodbye(connection, goodbye)

    def on_redirected(self, connection: Connection) -> None:
        """Deliver by the connection's new `send` in all channels."""
        self._context.channels.redirect(connection, connection.channels)

    def on_ended(self, connection: Connection, *, silently: bool) -> None:
        """Leave all channels."""
        self._context.expiry.forget(connection)
        for channel in list(connection.channels):
            leave(self._context, connection, channel, silently=silently)

    def _admit(self, connection: Connection, count: int, message: bytes = b"") -> int:
        """Return the number of commands or frames within the rate, of `count`; close a client that goes on regardless.

        The bound for refused subscribes is higher, by the client's maximum of subscriptions: a client that comes back
        sends them all at once.
        """
        config, allowance = self._context.config, connection.allowance
        admitted = allowance.admit(self._clock(), count)
        most = config.commands_burst
        if allowance.refused > most and message.count(b'"subscribe":') == count:
            most = max(most, config.subscriptions_max)
        if allowance.refused > most:
            connection.close(TOO_MANY_REQUESTS, f"more than {config.commands_per_s:g} commands and frames a second")
        return admitted

    def _share(self, connection: Connection, count: int, message: bytes, refused: int) -> int:
        """Return the number of commands, of `count`, within the rates of the client's user and address.

        Large messages are charged to both as well. A client that goes on regardless is closed as in `_admit`; it was
        `refused` so many before this message.
        """
        shares, now, allowance = self._context.shares, self._clock(), connection.allowance
        is_large = len(message) > SMALL_BYTES
        if is_large and shares.receive(connection, now, len(message)) and not connection.is_paused_for(Pause.RATE):
            self._pace(connection)
        admitted = shares.admit(connection, now, count)
        if admitted < count:
            allowance.refuse(count - admitted, refused)
            if allowance.refused > self._context.config.commands_burst:
                connection.close(TOO_MANY_REQUESTS, "more commands a second than a user or an address may send")
        return admitted

    def _pace(self, connection: Connection) -> None:
        """Stop reading until the client's bytes are paid for."""
        now = self._clock()
        owed_s = connection.allowance.received_due_s(now)
        if self._context.shares.has_rates:
            owed_s = max(owed_s, self._context.shares.due_s(connection, now))
        if owed_s and connection.is_usable:
            connection.pause_reading(Pause.RATE)
            asyncio.get_running_loop().call_later(owed_s, self._pace, connection)
        else:
            connection.resume_reading(Pause.RATE)
