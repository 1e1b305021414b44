"""Gathers of presence at one node: shared by all questions about a channel, and stored for a moment.

    absent ──ask──▶ under way ──complete──▶ fresh ──presence_keep_s──▶ stale: its nodes are known for a while

A gather that is under way or fresh answers all questions. Joins and leaves at this node change it at once, and so does
a late answer. A join or leave that a different node publishes makes it stale. Unpublished changes at other nodes are
seen after `presence_keep_s`. The nodes of a stale gather that had subscribers are waited for the next time
(`core.gathering`).

Overflow rules: above `UNDER_WAY_MAX` gathers a further question is refused with error 111. Above `GATHERS_MAX` gathers
or `BYTES_MAX` bytes of answers, the oldest gather that is complete is dropped.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from ringway.core.gathering import AnswerTimes, Gathering
from ringway.core.known_nodes import KnownNodes
from ringway.core.presence import PresenceUnion
from ringway.errors import EngineError
from ringway.node.channels.gather import PresenceGather
from ringway.node.config.node import NodeConfig
from ringway.node.stats import NodeStats
from ringway.ports import Engine
from ringway.protocol.command import ClientInfo
from ringway.protocol.envelope import QUESTION, Origin, open_envelope
from ringway.protocol.errorcode import TOO_MANY_REQUESTS, command_error
from ringway.protocol.presence import PresenceAnswer, PresenceQuestion, encode, presence_address
from ringway.tasks import Tasks
from ringway.types import Channel

UNDER_WAY_MAX = 1024
GATHERS_MAX = 4096
BYTES_MAX = 32 * 1024 * 1024

ALONE_MAX = 256
"""The maximum of questions to single nodes; beyond, a silent node is waited for until the deadline."""

AnswerHere = Callable[[PresenceQuestion], PresenceAnswer]
"""Returns the answer of this node."""


class PresenceGathers:
    """The gathers of one node. `answer_here` makes this node's own answer."""

    def __init__(
        self, engine: Engine, origin: Origin, config: NodeConfig, stats: NodeStats, answer_here: AnswerHere
    ) -> None:
        self._engine = engine
        self._origin = origin
        self._stats = stats
        self._answer_here = answer_here
        self._deadline_s = config.presence_deadline_s
        self._keep_s = config.presence_keep_s
        self._times = AnswerTimes(config.presence_grace_s)
        self._gathers: dict[
            Channel, PresenceGather
        ] = {}  # the newest gather of each channel, in the order of their questions
        self._known = KnownNodes()
        self._under_way: dict[int, PresenceGather] = {}
        self._bytes = 0  # of all gathers; late answers are counted at the next tick
        self._tasks = Tasks()
        self._alone = Tasks()

    async def gather(self, channel: Channel, clients_max: int) -> PresenceUnion:
        """Return the subscribers on all nodes. Raise `EngineError`, `TimeoutError`, or `CommandError` 111."""
        gather = self._gathers.get(channel)
        if gather is None or not gather.serves(clients_max, asyncio.get_running_loop().time()):
            gather = self._start(PresenceQuestion(channel, clients_max))
        assert gather.task is not None
        error = await asyncio.shield(gather.task)
        if error is not None:
            raise error
        return gather.union

    def on_own_question(self, seq: int) -> None:
        """Answer a question of this node, which the engine brought to all nodes: now they all answer."""
        gather = self._under_way.get(seq)
        if gather is not None and not gather.has_own:
            gather.add_own(self._answer_here(gather.question))

    def on_join(self, channel: Channel, info: ClientInfo) -> None:
        """Record that a client has joined `channel` at this node."""
        gather = self._gathers.get(channel)
        if gather is not None and gather.has_own and not gather.union.join(info):
            self.forget(channel)

    def on_leave(self, channel: Channel, info: ClientInfo) -> None:
        """Record that a client has left `channel` at this node."""
        gather = self._gathers.get(channel)
        if gather is not None and gather.has_own and not gather.union.leave(info.client):
            self.forget(channel)

    def forget(self, channel: Channel) -> None:
        """Ask anew for the next question; a gather under way answers the questions before it is complete."""
        gather = self._gathers.get(channel)
        if gather is not None:
            gather.is_wanted = False

    def tick(self) -> None:
        """Drop stale gathers; call it a few times a second."""
        now = asyncio.get_running_loop().time()
        for channel, gather in list(self._gathers.items()):
            if gather.is_complete and gather.fresh_until <= now:
                self._let_go(channel, gather)
        self._known.sweep(now)
        self._bytes = sum(gather.bytes for gather in self._gathers.values())
        self._make_room()

    async def aclose(self) -> None:
        """Give up the gathers under way."""
        await self._tasks.aclose()
        await self._alone.aclose()
        for gather in self._gathers.values():
            gather.close()

    def _start(self, question: PresenceQuestion) -> PresenceGather:
        if len(self._under_way) >= UNDER_WAY_MAX:
            raise command_error(
                TOO_MANY_REQUESTS, f"{UNDER_WAY_MAX} questions about presence are under way at this node; ask again"
            )
        channel = question.channel
        earlier = self._gathers.get(channel)
        if earlier is not None:
            self._let_go(channel, earlier)
        now = asyncio.get_running_loop().time()
        rule = Gathering(self._known.of(channel), self._times.grace_s(), now, now + self._deadline_s)
        payload = self._origin.seal(QUESTION, channel, encode(question))
        gather = PresenceGather(question, open_envelope(payload, QUESTION).seq, rule, self._origin.node, self._stats)
        gather.on_answered = lambda node: self._times.add(node, asyncio.get_running_loop().time() - now)
        self._gathers[channel] = self._under_way[gather.seq] = gather
        gather.task = self._tasks.spawn(self._run(gather, payload, now + self._deadline_s), name="gather of presence")
        return gather

    async def _run(self, gather: PresenceGather, payload: bytes, deadline: float) -> EngineError | TimeoutError | None:
        channel = gather.question.channel
        try:
            async with asyncio.timeout_at(deadline):
                gather.asked = await self._engine.broker.ask_subscribers(channel, payload, gather)
            await self._wait(gather, payload, deadline)
            self.on_own_question(gather.seq)  # this node has no interest in the channel
        except (EngineError, TimeoutError) as error:
            gather.is_wanted = False
            return error
        finally:
            del self._under_way[gather.seq]
            if self._gathers.get(channel) is not gather:
                gather.close()
        gather.fresh_until = asyncio.get_running_loop().time() + self._keep_s
        self._bytes += gather.bytes
        self._make_room()
        return None

    async def _wait(self, gather: PresenceGather, payload: bytes, deadline: float) -> None:
        loop = asyncio.get_running_loop()
        while True:
            now = loop.time()
            for node in gather.rule.overdue(now):
                if len(self._alone) < ALONE_MAX:
                    self._alone.spawn(self._ask_alone(gather, node, payload, deadline), name="question to one node")
            wait_s = gather.rule.wait_s(now)
            if wait_s <= 0:
                return
            await gather.wait(wait_s)

    async def _ask_alone(self, gather: PresenceGather, node: bytes, payload: bytes, deadline: float) -> None:
        """Ask a node that had subscribers and is silent: its subscribers left, or it is gone, or it stalls."""
        wait_s = deadline - asyncio.get_running_loop().time()
        with suppress(EngineError):
            gather.on_answer(await self._engine.bus.call(presence_address(node), payload, timeout_s=wait_s))
        gather.on_gone(node)

    def _make_room(self) -> None:
        """Drop the oldest gathers that are complete while there are too many, or they are too large."""
        if len(self._gathers) <= GATHERS_MAX and self._bytes <= BYTES_MAX:
            return
        for channel, gather in list(self._gathers.items()):
            if gather.is_complete:
                self._bytes -= gather.bytes
                self._let_go(channel, gather)
                if len(self._gathers) <= GATHERS_MAX and self._bytes <= BYTES_MAX:
                    return

    def _let_go(self, channel: Channel, gather: PresenceGather) -> None:
        """Forget a gather, but for the nodes that had subscribers."""
        del self._gathers[channel]
        if not gather.is_complete:
            return
        gather.close()
        self._known.set(channel, gather.union.present, asyncio.get_running_loop().time())
