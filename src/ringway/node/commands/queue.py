"""In which order commands are carried out: each connection's one after another, frame by frame.

Most need nobody and are carried out at once, in the call that read them. One that awaits the engine makes a task for
its connection; until that is done, further frames wait behind it. Publications that follow each other in a frame are
begun together, in order: engines keep the order in which `publish` was called, and confirm many at the price of one.
Subscribes that follow each other are made ready together, and then carried out in order, which awaits nothing more.

The replies to a frame leave in one frame, or several where they are long; a subscribe reply that is ready goes ahead of
an await, since publications may follow it from then on. Before the engine is asked for what may be much (history,
presence, what was missed) the client must have taken what was sent to it: nothing is gathered without room for it.

What a client sent before it closed, broke the protocol, or was lost is carried out (PROTOCOL.md P-2.8): its close is
answered behind the commands that wait; of a client that hears no answer any more only the publications are made, all
at once, so that they take no longer than one.

Overflow rules: while more than `commands_pending_bytes_max` wait, nothing more is read from the client; what it had
sent already may be more than `commands_pending_max` commands: they are dropped, and the connection is closed with 3013.
"""

import asyncio
from collections import deque
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import structlog

from ringway.errors import ProtocolError
from ringway.node.commands.dispatch import asks_for_much, execute, refuse_rate, waits
from ringway.node.commands.publish import publish
from ringway.node.commands.subscribe import NOT_DONE, prepare, subscribe_waits
from ringway.node.connection.allowance import Pause
from ringway.protocol.close import INTERNAL, TOO_MANY_REQUESTS
from ringway.protocol.codec import decode_commands, encode_commands
from ringway.protocol.command import Command, SubscribeRequest

if TYPE_CHECKING:
    from ringway.node.connection.connection import Connection
    from ringway.node.shared import Shared

PREPARED_MAX = 128
"""Subscribes of one client that the engine is asked about at one time."""

PREPARING_MAX = 256
"""The same of all clients together."""

RECOVERED_MAX = 8
"""Those among them that recover: each may hold as much as a channel's tail."""

PUBLISHED_MAX = 128
"""Publications of one client that are under way at one time."""

TURN_COMMANDS = 200
"""Commands of one client that its task carries out in one turn of the event loop; then others have theirs."""

REPLIES_BYTES = 32 * 1024
"""Replies are sent when there are as many bytes of them, whatever else the frame asks for."""

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Goodbye:
    """How a connection is to be closed; `is_answer`: its client has closed it with that code."""

    code: int
    reason: str = ""
    is_answer: bool = True


class Backlog:
    """The messages of one connection that wait while a command awaits the engine, and what comes after them."""

    __slots__ = ("bytes", "count", "frames", "goodbye", "unsent_bytes")

    def __init__(self) -> None:
        self.frames: deque[bytes] = deque()  # as they came
        self.count = 0  # lines, which are commands
        self.bytes = 0
        self.goodbye: Goodbye | None = None
        self.unsent_bytes = 0  # of the connection's outbox, when the keepalive looked last

    def add(self, frame: bytes) -> None:
        """Let `frame` wait behind the others."""
        self.frames.append(frame)
        self.bytes += len(frame)
        self.count += _lines(frame)

    def drop(self) -> None:
        """Let nothing wait any more."""
        self.frames.clear()
        self.bytes = self.count = 0

    def pop(self) -> bytes:
        """Return the frame that has waited longest."""
        frame = self.frames.popleft()
        self.bytes -= len(frame)
        self.count -= _lines(frame)
        return frame


class Workers:
    """Carries out commands, and owns the tasks of those that await the engine."""

    __slots__ = ("_tasks", "preparing", "shared")

    shared: "Shared"  # set once by the server: the two know each other

    def __init__(self) -> None:
        self.preparing = asyncio.Semaphore(PREPARING_MAX)
        self._tasks: set[asyncio.Task[None]] = set()

    def take(self, connection: "Connection", frame: bytes) -> None:
        """Carry out the commands of one frame, now or after those before them. Raise `ProtocolError`."""
        backlog = connection.backlog
        if backlog is not None:
            self._put(connection, backlog, frame)
            return
        shared = self.shared
        commands = decode_commands(frame)
        replies: list[bytes] = []
        try:
            for index, command in enumerate(commands):
                if waits(shared, command):
                    self._begin(connection, commands, index, replies)
                    return
                reply = execute(shared, connection, command)
                if isinstance(reply, bytes):
                    replies.append(reply)
        except ProtocolError:
            connection.reply(replies)
            raise
        connection.reply(replies)

    def refuse(self, connection: "Connection", frame: bytes) -> None:
        """Refuse the commands of `frame`, which came over the rate."""
        connection.reply(refuse_rate(self.shared, decode_commands(frame)))

    def take_goodbye(self, connection: "Connection", goodbye: Goodbye) -> None:
        """End a connection when the commands that came before are carried out."""
        if connection.backlog is None:
            connection.depart(goodbye)
        else:
            connection.backlog.goodbye = goodbye

    def _put(self, connection: "Connection", backlog: Backlog, frame: bytes) -> None:
        config = self.shared.config
        backlog.add(frame)
        if backlog.count > config.commands_pending_max:
            backlog.drop()
            connection.close(TOO_MANY_REQUESTS, f"more than {config.commands_pending_max} commands wait")
        elif backlog.bytes > config.commands_pending_bytes_max:
            connection.pause_reading(Pause.BACKLOG)

    async def close(self) -> None:
        """Give up what is under way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _begin(self, connection: "Connection", commands: list[Command], index: int, replies: list[bytes]) -> None:
        connection.backlog = Backlog()
        self._spawn(self._work(connection, commands, index, replies))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _work(self, connection: "Connection", commands: list[Command], index: int, replies: list[bytes]) -> None:
        backlog = connection.backlog
        assert backlog is not None
        left: list[Command] | None = None
        try:
            left = await self._frame(connection, commands, index, replies)
            while backlog.frames and connection.is_usable:
                commands = decode_commands(backlog.pop())
                if backlog.bytes <= self.shared.config.commands_pending_bytes_max // 2:
                    connection.resume_reading(Pause.BACKLOG)
                left = await self._frame(connection, commands, 0, [])
        except ProtocolError as error:
            left = None
            connection.close(error.close_code, str(error))
        except Exception:
            left = None
            _log.exception("a command was not handled", client=connection.client)
            connection.close(INTERNAL, "internal server error")
        finally:
            connection.backlog = None
            connection.resume_reading(Pause.BACKLOG)
            undone = None if left is None else [encode_commands(left), *backlog.frames]
            if connection.handover is not None and not connection.is_usable:
                connection.handover.settled(undone)
                undone = None
        if connection.is_usable:
            if backlog.goodbye is not None:
                connection.depart(backlog.goodbye)
        elif undone is not None:
            await self._publish(connection, undone)

    def publish_left(self, connection: "Connection", frames: list[bytes]) -> None:
        """Make the publications in the last frames of a client that is gone, after those that wait."""
        if connection.backlog is None:
            self._spawn(self._publish(connection, frames))
        else:
            for frame in frames:
                connection.backlog.add(frame)

    async def _publish(self, connection: "Connection", frames: list[bytes]) -> None:
        left = [command for frame in frames for command in decode_commands(frame) if command.publish is not None]
        if connection.client:
            await asyncio.gather(
                *(publish(self.shared, connection, one.id, one.publish) for one in left if one.publish)
            )

    async def _frame(
        self, connection: "Connection", commands: list[Command], index: int, replies: list[bytes]
    ) -> list[Command]:
        """Carry out `commands` from `index` on; `replies` are those to the commands before.

        Return those that were not begun, because the connection has begun to close.
        """
        shared = self.shared
        joined = any(command.subscribe is not None for command in commands[:index])
        prepared, began, size = 0, index, sum(map(len, replies))
        while index < len(commands) and connection.is_usable:
            command = commands[index]
            turn_over = asks_for_much(command) or index - began >= TURN_COMMANDS
            if size > REPLIES_BYTES or (joined and (turn_over or waits(shared, command))):
                connection.reply(replies)
                replies, joined, size = [], False, 0
            if turn_over:
                began = index
                await self._turn(connection, command)
                if not connection.is_usable:
                    break
            end = index + 1
            if command.publish is not None:
                while end < min(len(commands), index + PUBLISHED_MAX) and commands[end].publish is not None:
                    end += 1
            elif command.subscribe is not None and index >= prepared and waits(shared, command):
                prepared = await self._prepare(connection, commands, index)
                if not connection.is_usable:
                    break
            try:
                answers = await self._run(connection, commands[index:end])
            except ProtocolError:
                connection.reply(replies)
                raise
            if answers == [NOT_DONE]:
                break
            replies += answers
            size += sum(map(len, answers))
            joined = joined or command.subscribe is not None
            index = end
        connection.reply(replies)
        return commands[index:]

    async def _turn(self, connection: "Connection", command: Command) -> None:
        """Let others have their turn, and a client that asks for much pay for what it was answered, and take it."""
        if not asks_for_much(command):
            await asyncio.sleep(0)
            return
        await asyncio.sleep(connection.allowance.answer_due_s(self.shared.clock()))
        await self.shared.outbox.room(connection)

    async def _prepare(self, connection: "Connection", commands: list[Command], index: int) -> int:
        """Make the subscribes that follow each other ready together; return the index behind them."""
        requests: list[SubscribeRequest] = []
        room = min(PREPARED_MAX, self.shared.config.subscriptions_max - len(connection.channels))
        recovering = 0
        for command in commands[index : index + room]:
            if command.subscribe is None:
                break
            recovering += command.subscribe.recover
            if recovering > RECOVERED_MAX:
                break
            requests.append(command.subscribe)
        waiting = [request for request in requests if subscribe_waits(self.shared, request)]
        if len(waiting) > 1:
            await prepare(self.shared, connection, waiting)
        return index + len(requests)

    async def _run(self, connection: "Connection", commands: list[Command]) -> list[bytes]:
        """The replies to one command, or to publications that follow each other."""
        if len(commands) == 1:
            answer = execute(self.shared, connection, commands[0])
            if answer is None:
                return []
            return [answer] if isinstance(answer, bytes) else [await answer]
        publishing: list[Coroutine[Any, Any, bytes]] = []
        replies: list[bytes] = []
        for command in commands:
            try:
                answer = execute(self.shared, connection, command)
            except ProtocolError as error:  # those before it are under way
                connection.close(error.close_code, str(error))
                break
            if isinstance(answer, bytes):
                replies.append(answer)
            elif answer is not None:
                publishing.append(answer)
        return [*replies, *await asyncio.gather(*publishing)]


def _lines(frame: bytes) -> int:
    return frame.count(b"\n") + 1
