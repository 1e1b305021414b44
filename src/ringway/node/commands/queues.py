"""Command queues of a node: the order of commands; those of one connection are carried out in sequence.

Most commands need no await and are carried out at once, in the call that read them. A command that awaits the engine
makes a task for its connection; until that is done, further frames wait behind it. Consecutive publications in a frame
are begun together, in order: engines preserve the order of the calls of `publish`, and confirm many at the price of
one. Those that a hook decides are made one after the other. For consecutive subscribes the engine is asked together;
then each subscribe is carried out in its order.

The replies to a frame leave in one frame, or in several if they are long; a ready subscribe reply is sent before an
await, since publications may follow it from then on. Before a query that may have a long answer (history, presence,
recovery) the client must have read its outbox, so that answers need not be stored.

Commands that a client sent before it closed, broke the protocol, or was lost are carried out (PROTOCOL.md P-2.8): its
close is answered behind the waiting commands. For a client that receives no answers any more only the publications are
made, all at once, so that they last no longer than one.

Overflow rules: while more than `commands_pending_bytes_max` wait, the node does not read from the client. If it had
sent more than `commands_pending_max` commands by then, they are dropped, and the connection is closed with 3013.
"""

import asyncio

from ringway.errors import ProtocolError
from ringway.logger import get_logger
from ringway.node.commands.context import CommandContext
from ringway.node.commands.dispatch import asks_for_much, execute, rate_error_replies
from ringway.node.commands.outcome import Gone, PendingReply
from ringway.node.commands.publish import is_by_hook, publish_now
from ringway.node.commands.subscribe import ask_ahead
from ringway.node.connection.allowance import Pause
from ringway.node.connection.command_queue import TURN_COMMANDS, CommandQueue, Goodbye, OnSettled, lines_of
from ringway.node.connection.connection import Connection
from ringway.node.connection.outbox import Outbox
from ringway.protocol.close import INTERNAL, TOO_MANY_REQUESTS
from ringway.protocol.codec import decode_commands, encode_commands
from ringway.protocol.command import Command, SubscribeRequest
from ringway.tasks import Tasks

ASKED_MAX = 128
"""Subscribes of one client for which the engine is asked at one time."""

ASKING_MAX = 256
"""The same for all clients together."""

RECOVERED_MAX = 8
"""The most of these with recovery: each may need as much memory as a channel's replay buffer."""

PUBLISHED_MAX = 128
"""Publications of one client that are under way at one time."""

LEFT_S = 10.0
"""The time for the last publications of a client that is gone, on a node where hooks decide: they are made in turn."""

REPLIES_BYTES = 32 * 1024
"""The size from which replies are sent, before the rest of their frame is carried out."""

_log = get_logger()


class _Frame:
    """The commands of one frame under way; `index` is the next command, `replies` are not sent yet."""

    __slots__ = ("_connection", "_replies", "_size", "asked", "commands", "index", "joined")

    def __init__(self, connection: Connection, commands: list[Command], index: int = 0) -> None:
        self._connection = connection
        self._replies: list[bytes] = []
        self._size = 0
        self.commands = commands
        self.index = index
        self.joined = False  # a reply says that a channel is joined: its publications follow
        self.asked = 0  # the engine was asked for the subscribes up to this index

    @property
    def is_large(self) -> bool:
        """True if the replies are to be sent before the next command."""
        return self._size > REPLIES_BYTES

    def add(self, reply: bytes) -> None:
        """Add the next reply."""
        self._replies.append(reply)
        self._size += len(reply)

    def send(self) -> None:
        """Send the replies."""
        self._connection.reply(self._replies)
        self._replies, self._size, self.joined = [], 0, False

    def left(self) -> list[Command]:
        """Return the commands that were not begun."""
        return self.commands[self.index :]


class CommandQueues:
    """Carries out commands, and owns the tasks of those that await the engine."""

    __slots__ = ("_asking", "_context", "_has_publish_hook", "_outbox", "_tasks")

    def __init__(self, context: CommandContext, outbox: Outbox) -> None:
        self._context = context
        self._outbox = outbox
        self._has_publish_hook = context.channels.namespaces.has_publish_hook
        self._asking = asyncio.Semaphore(ASKING_MAX)
        self._tasks = Tasks()

    def __len__(self) -> int:
        """Return the number of clients whose commands are under way."""
        return len(self._tasks)

    def add_frame(self, connection: Connection, frame: bytes) -> None:
        """Carry out the commands of one frame, now or after earlier commands. Raise `ProtocolError`."""
        queue = connection.command_queue
        if queue is not None:
            self._enqueue(connection, queue, frame)
            return
        if lines_of(frame) > TURN_COMMANDS:
            self._begin(connection, [], 0, [], None).add(frame)
            return
        context = self._context
        commands = decode_commands(frame)
        replies: list[bytes] = []
        try:
            for index, command in enumerate(commands):
                outcome = execute(context, connection, command)
                if isinstance(outcome, PendingReply):
                    self._begin(connection, commands, index, replies, outcome)
                    return
                if outcome is not None:
                    replies.append(outcome)
        except ProtocolError:
            connection.reply(replies)
            raise
        connection.reply(replies)

    def refuse_frame(self, connection: Connection, frame: bytes) -> None:
        """Refuse the commands of `frame`, which came over the rate."""
        connection.reply(rate_error_replies(self._context, decode_commands(frame)))

    def add_goodbye(self, connection: Connection, goodbye: Goodbye) -> None:
        """End a connection when its earlier commands are carried out, and its calls have ended."""
        if connection.command_queue is None:
            self._context.rpc.when_idle(connection, lambda: connection.say_goodbye(goodbye))
        else:
            connection.command_queue.goodbye = goodbye

    def when_settled(self, connection: Connection, call: OnSettled | None) -> None:
        """Call `call` when no command of a connection is under way that was sent off (`CommandQueue`)."""
        if connection.command_queue is not None:
            connection.command_queue.when_settled(call)
        elif call is not None:
            call([])

    def publish_left(self, connection: Connection, frames: list[bytes]) -> None:
        """Make the publications in the last frames of a client that is gone, after its waiting commands."""
        queue = connection.command_queue
        if queue is None:
            self._tasks.spawn(self._publish_left(connection, frames), name="last publications of a client")
            return
        queue.when_settled(None)
        for frame in frames:
            queue.add(frame)

    def carry_on(self, connection: Connection, frames: list[bytes]) -> None:
        """Carry out `frames`, then later frames; at last close, if the client did. Raise `ProtocolError`."""
        queue = connection.command_queue
        frames = [*frames, *(queue.frames if queue is not None else ())]
        goodbye = queue.goodbye if queue is not None else None
        connection.close_command_queue()
        while frames and connection.is_usable:
            self.add_frame(connection, frames.pop(0))
        if frames:
            self.publish_left(connection, frames)
        elif goodbye is not None:
            self.add_goodbye(connection, goodbye)

    async def aclose(self) -> None:
        """Cancel the commands under way."""
        await self._tasks.aclose()

    def _enqueue(self, connection: Connection, queue: CommandQueue, frame: bytes) -> None:
        config = self._context.config
        queue.add(frame)
        if queue.count > config.commands_pending_max:
            queue.clear()
            connection.close(TOO_MANY_REQUESTS, f"more than {config.commands_pending_max} commands wait")
        elif queue.bytes > config.commands_pending_bytes_max:
            connection.pause_reading(Pause.QUEUE)

    def _begin(
        self,
        connection: Connection,
        commands: list[Command],
        index: int,
        replies: list[bytes],
        pending: PendingReply | None,
    ) -> CommandQueue:
        queue = connection.open_command_queue()
        frame = _Frame(connection, commands, index)
        frame.joined = any(command.subscribe is not None for command in commands[:index])
        for reply in replies:
            frame.add(reply)
        self._tasks.spawn(self._work(connection, queue, frame, pending), name="commands of a client")
        return queue

    async def _work(
        self, connection: Connection, queue: CommandQueue, frame: _Frame, pending: PendingReply | None
    ) -> None:
        left: list[bytes] | None = None
        done = len(frame.commands)
        try:
            await self._run_frame(connection, frame, pending)
            while queue.frames and connection.is_usable:
                if done >= TURN_COMMANDS:
                    done = 0
                    await asyncio.sleep(0)
                    continue
                frame = _Frame(connection, decode_commands(queue.pop()))
                done += len(frame.commands)
                if queue.bytes <= self._context.config.commands_pending_bytes_max // 2:
                    connection.resume_reading(Pause.QUEUE)
                await self._run_frame(connection, frame, None)
            left = [encode_commands(frame.left()), *queue.frames]
        except ProtocolError as error:
            connection.close(error.close_code, str(error))
        except Exception:
            _log.exception("a command was not handled", client=connection.client)
            connection.close(INTERNAL, "internal server error")
        finally:
            connection.close_command_queue()
            left = queue.settle(left)
        if connection.is_usable:
            if queue.goodbye is not None:
                self.add_goodbye(connection, queue.goodbye)
        elif left is not None:
            await self._publish_left(connection, left)

    async def _publish_left(self, connection: Connection, frames: list[bytes]) -> None:
        requests = [
            (command.id, command.publish)
            for frame in frames
            for command in decode_commands(frame)
            if command.publish is not None
        ]
        if not connection.client:
            return
        if not self._has_publish_hook:
            await asyncio.gather(*(publish_now(self._context, connection, *request) for request in requests))
            return
        try:
            async with asyncio.timeout(LEFT_S):
                for request in requests:
                    await publish_now(self._context, connection, *request)
        except TimeoutError:
            _log.warning("not all last publications of a client were made: a hook is too slow", within_s=LEFT_S)
        except ProtocolError:
            return  # the hook has closed the client, which is gone anyway

    def _waits_for_hook(self, command: Command) -> bool:
        request = command.publish
        return self._has_publish_hook and request is not None and is_by_hook(self._context, request)

    async def _run_frame(self, connection: Connection, frame: _Frame, pending: PendingReply | None) -> None:
        """Carry out the commands of a frame, until the connection closes.

        `pending` is the outcome of the first command, if that was decided already.
        """
        while frame.index < len(frame.commands) and connection.is_usable:
            command = frame.commands[frame.index]
            much = asks_for_much(command)
            if frame.is_large or (frame.joined and much):
                frame.send()
            if much:
                await self._afford(connection)
                if not connection.is_usable:
                    break
            try:
                outcome = execute(self._context, connection, command) if pending is None else pending
                pending = None
                if isinstance(outcome, PendingReply):
                    if not await self._await(connection, frame, command, outcome):
                        break
                    continue
            except ProtocolError:
                frame.send()
                raise
            if outcome is not None:
                frame.add(outcome)
                frame.joined = frame.joined or command.subscribe is not None
            frame.index += 1
        frame.send()

    async def _afford(self, connection: Connection) -> None:
        """Give other clients their turn; a client with costly queries must pay for its answers, and read them."""
        await asyncio.sleep(connection.answer_due_s())
        while connection.is_usable and self._outbox.is_slow(connection):
            await self._outbox.wait_for_room(connection)

    async def _await(self, connection: Connection, frame: _Frame, command: Command, pending: PendingReply) -> bool:
        """Await a pending reply, and publications directly after it; False if the command had no effect."""
        if frame.joined:
            frame.send()
        if command.publish is not None and not self._waits_for_hook(command):
            await self._publish_together(connection, frame, pending)
            return True
        if command.subscribe is not None and frame.index >= frame.asked:
            frame.asked = await self._ask_ahead(connection, frame)
            if not connection.is_usable:
                return False
        reply = await self._run_one(connection, command, pending)
        if isinstance(reply, Gone):
            return False
        frame.add(reply)
        frame.joined = command.subscribe is not None or command.connect is not None
        frame.index += 1
        return True

    async def _run_one(self, connection: Connection, command: Command, pending: PendingReply) -> bytes | Gone:
        """Await a pending reply. The server may unsubscribe the client while its subscribe command waits."""
        queue = connection.command_queue
        if command.subscribe is None or queue is None:
            return await pending.run()
        queue.begin_subscribe(command.subscribe.channel)
        try:
            return await pending.run()
        finally:
            queue.end_subscribe()

    async def _publish_together(self, connection: Connection, frame: _Frame, first: PendingReply) -> None:
        """Make consecutive publications of a frame together, beginning with `first`."""
        end, most = frame.index + 1, min(len(frame.commands), frame.index + PUBLISHED_MAX)
        while end < most and frame.commands[end].publish is not None and not self._waits_for_hook(frame.commands[end]):
            end += 1
        pending = [first]
        for command in frame.commands[frame.index + 1 : end]:
            try:
                outcome = execute(self._context, connection, command)
            except ProtocolError as error:  # earlier publications are under way
                connection.close(error.close_code, str(error))
                break
            if isinstance(outcome, PendingReply):
                pending.append(outcome)
            elif outcome is not None:
                frame.add(outcome)
        replies = await asyncio.gather(*(each.run() for each in pending)) if len(pending) > 1 else [await first.run()]
        for reply in replies:
            if isinstance(reply, bytes):
                frame.add(reply)
        frame.index = end

    async def _ask_ahead(self, connection: Connection, frame: _Frame) -> int:
        """Ask the engine together for consecutive subscribes; return the index behind them."""
        requests: list[SubscribeRequest] = []
        room = min(ASKED_MAX, self._context.config.subscriptions_max - len(connection.channels))
        recovering = 0
        for command in frame.commands[frame.index : frame.index + room]:
            if command.subscribe is None:
                break
            recovering += command.subscribe.recover
            if recovering > RECOVERED_MAX:
                break
            requests.append(command.subscribe)
        if len(requests) > 1:
            questions = [ask_ahead(self._context, connection, request, self._asking) for request in requests]
            await asyncio.gather(*questions, return_exceptions=True)
        return frame.index + len(requests)
