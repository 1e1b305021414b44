"""In which order commands are carried out: each connection's one after another, frame by frame.

Most need nobody and are carried out at once, in the call that read them. One that awaits the engine makes a task for
its connection; until that is done, further frames wait behind it. Publications that follow each other in a frame are
begun together, in order: engines keep the order in which `publish` was called, and confirm many at the price of one.
Subscribes that follow each other are made ready together, and then carried out in order, which awaits nothing more.

All replies to a frame leave in one frame; only a subscribe reply that is ready goes ahead of an await, since
publications may follow it from then on.

Overflow rule: more than `commands_pending_max` waiting commands close the connection with 3013.
"""

import asyncio
from collections import deque
from typing import TYPE_CHECKING

import structlog

from ringway.errors import ProtocolError
from ringway.node.commands import execute, refuse_rate, waits
from ringway.node.subscribe import prepare, subscribe_waits
from ringway.protocol.close import INTERNAL, TOO_MANY_REQUESTS
from ringway.protocol.command import Command, SubscribeRequest

if TYPE_CHECKING:
    from ringway.node.connection import Connection
    from ringway.node.shared import Shared

PREPARED_MAX = 128
"""Subscribes of one client that the engine is asked about at one time."""

_log = structlog.get_logger()


class Backlog:
    """The frames of one connection that wait while a command awaits the engine."""

    __slots__ = ("count", "frames")

    def __init__(self) -> None:
        self.frames: deque[list[Command]] = deque()
        self.count = 0


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
                connection.close(TOO_MANY_REQUESTS, f"more than {limit} commands wait")
                return
            backlog.frames.append(commands)
            backlog.count += len(commands)
            return
        shared = self.shared
        replies: list[bytes] = []
        for index, command in enumerate(commands):
            if waits(shared, command):
                self._begin(connection, commands, index, replies)
                return
            reply = execute(shared, connection, command)
            if isinstance(reply, bytes):
                replies.append(reply)
        connection.reply(replies)

    def refuse(self, connection: "Connection", commands: list[Command]) -> None:
        """Refuse the commands of a frame that came over the rate."""
        connection.reply([reply for command in commands if (reply := refuse_rate(self.shared, command)) is not None])

    async def close(self) -> None:
        """Give up what is under way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _begin(self, connection: "Connection", commands: list[Command], index: int, replies: list[bytes]) -> None:
        connection.backlog = Backlog()
        task = asyncio.get_running_loop().create_task(self._work(connection, commands, index, replies))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _work(self, connection: "Connection", commands: list[Command], index: int, replies: list[bytes]) -> None:
        backlog = connection.backlog
        assert backlog is not None
        try:
            await self._frame(connection, commands, index, replies)
            while backlog.frames and connection.is_usable:
                commands = backlog.frames.popleft()
                backlog.count -= len(commands)
                await self._frame(connection, commands, 0, [])
        except ProtocolError as error:
            connection.close(error.close_code, str(error))
        except Exception:
            _log.exception("a command was not handled", client=connection.client)
            connection.close(INTERNAL, "internal server error")
        finally:
            connection.backlog = None

    async def _frame(self, connection: "Connection", commands: list[Command], index: int, replies: list[bytes]) -> None:
        """Carry out `commands` from `index` on; `replies` are those to the commands before."""
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
            replies += await self._run(connection, commands[index:end])
            joined = joined or command.subscribe is not None
            index = end
        connection.reply(replies)

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
        replies = await asyncio.gather(*(self._publish(connection, command) for command in commands))
        return [reply for reply in replies if reply is not None]

    async def _publish(self, connection: "Connection", command: Command) -> bytes | None:
        try:
            answer = execute(self.shared, connection, command)
        except ProtocolError as error:  # kept from `gather`, which would go on with the others unobserved
            connection.close(error.close_code, str(error))
            return None
        return answer if isinstance(answer, bytes) or answer is None else await answer
