"""In which order commands are carried out: each connection's one after another, frame by frame.

Most need nobody and are carried out at once, in the call that read them. One that awaits the engine makes a task for
its connection; until that is done, further frames wait behind it. Publications that follow each other in a frame are
begun together, in order: engines keep the order in which `publish` was called, and confirm many at the price of one.
Subscribes that follow each other are made ready together, and then carried out in order, which awaits nothing more.

All replies to a frame leave in one frame; only a subscribe reply that is ready goes ahead of an await, since
publications may follow it from then on.

What a client sent before it closed, broke the protocol, or was lost is carried out (PROTOCOL.md P-2.8): its close is
answered behind the commands that wait; of a client that hears no answer any more only the publications are made, all
at once, so that they take no longer than one.

Overflow rule: more than `commands_pending_max` waiting commands close the connection with 3013, and are dropped.
"""

import asyncio
from collections import deque
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import structlog

from ringway.errors import ProtocolError
from ringway.node.commands import execute, refuse_rate, waits
from ringway.node.publish import publish
from ringway.node.subscribe import NOT_DONE, prepare, subscribe_waits
from ringway.protocol.close import INTERNAL, TOO_MANY_REQUESTS
from ringway.protocol.command import Command, SubscribeRequest

if TYPE_CHECKING:
    from ringway.node.connection import Connection
    from ringway.node.shared import Shared

PREPARED_MAX = 128
"""Subscribes of one client that the engine is asked about at one time."""

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Goodbye:
    """How a connection is to be closed; `is_answer`: its client has closed it with that code."""

    code: int
    reason: str = ""
    is_answer: bool = True


class Backlog:
    """The frames of one connection that wait while a command awaits the engine, and what comes after them."""

    __slots__ = ("count", "frames", "goodbye")

    def __init__(self) -> None:
        self.frames: deque[list[Command]] = deque()
        self.count = 0
        self.goodbye: Goodbye | None = None


class Workers:
    """Carries out commands, and owns the tasks of those that await the engine."""

    __slots__ = ("_tasks", "shared")

    shared: "Shared"  # set once by the server: the two know each other

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def take(self, connection: "Connection", commands: list[Command]) -> None:
        """Carry out the commands of one frame, now or after those before them."""
        backlog = connection.backlog
        if backlog is not None:
            limit = self.shared.config.commands_pending_max
            if backlog.count + len(commands) > limit:
                backlog.frames.clear()
                connection.close(TOO_MANY_REQUESTS, f"more than {limit} commands wait")
                return
            backlog.frames.append(commands)
            backlog.count += len(commands)
            return
        shared = self.shared
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

    def refuse(self, connection: "Connection", commands: list[Command]) -> None:
        """Refuse the commands of a frame that came over the rate."""
        connection.reply([reply for command in commands if (reply := refuse_rate(self.shared, command)) is not None])

    def take_goodbye(self, connection: "Connection", goodbye: Goodbye) -> None:
        """End a connection when the commands that came before are carried out."""
        if connection.backlog is None:
            connection.depart(goodbye)
        else:
            connection.backlog.goodbye = goodbye

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
                commands = backlog.frames.popleft()
                backlog.count -= len(commands)
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
            undone = None if left is None else [left, *backlog.frames]
            if connection.handover is not None and not connection.is_usable:
                connection.handover.settled(undone)
                undone = None
        if connection.is_usable:
            if backlog.goodbye is not None:
                connection.depart(backlog.goodbye)
        elif undone is not None:
            await self._publish(connection, undone)

    def publish_left(self, connection: "Connection", frames: list[list[Command]]) -> None:
        """Make the publications in the last frames of a client that is gone, after those that wait."""
        if connection.backlog is None:
            self._spawn(self._publish(connection, frames))
        else:
            connection.backlog.frames.extend(frames)

    async def _publish(self, connection: "Connection", frames: list[list[Command]]) -> None:
        left = [command for commands in frames for command in commands if command.publish is not None]
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
        prepared = 0
        while index < len(commands) and connection.is_usable:
            command = commands[index]
            if joined and waits(shared, command):
                connection.reply(replies)
                replies, joined = [], False
            end = index + 1
            if command.publish is not None:
                while end < len(commands) and commands[end].publish is not None:
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
            joined = joined or command.subscribe is not None
            index = end
        connection.reply(replies)
        return commands[index:]

    async def _prepare(self, connection: "Connection", commands: list[Command], index: int) -> int:
        """Make the subscribes that follow each other ready together; return the index behind them."""
        requests: list[SubscribeRequest] = []
        room = min(PREPARED_MAX, self.shared.config.subscriptions_max - len(connection.channels))
        for command in commands[index : index + room]:
            if command.subscribe is None:
                break
            requests.append(command.subscribe)
        waiting = [request for request in requests if subscribe_waits(self.shared, request)]
        if len(waiting) > 1:
            await prepare(self.shared, waiting)
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
