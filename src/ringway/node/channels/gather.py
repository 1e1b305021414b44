"""Gather of presence: one question to the nodes that have a channel, and its answers.

It receives answers also when it is complete, until it is closed: a late answer counts for the next questions.
Answers that cannot be read are counted and dropped, and so are answers of more than `ANSWERS_MAX` nodes or beyond
`ANSWER_BYTES_MAX` bytes.
"""

import asyncio
from collections.abc import Callable

from ringway.core.gathering import Gathering
from ringway.core.presence import PresenceUnion
from ringway.errors import EngineError, ProtocolError
from ringway.node.stats import NodeStats
from ringway.ports import OpenQuestion
from ringway.protocol.close import BAD_REQUEST
from ringway.protocol.envelope import ANSWER, open_envelope
from ringway.protocol.presence import PresenceAnswer, PresenceQuestion, decode_answer

ANSWERS_MAX = 4096
ANSWER_BYTES_MAX = 32 * 1024 * 1024

CLIENT_BYTES = 100
"""About the size of a client's name in an answer."""


class PresenceGather:
    """One gather. It receives the answers to its question (`ports.Answers`), also after it is complete."""

    def __init__(self, question: PresenceQuestion, seq: int, rule: Gathering, node: bytes, stats: NodeStats) -> None:
        self.question = question
        self.seq = seq
        self.rule = rule
        self.union = PresenceUnion(question.clients_max)
        self.task: asyncio.Task[EngineError | TimeoutError | None] | None = None
        self.fresh_until = 0.0
        self.is_wanted = True
        """False if the question is to be asked again when it is complete."""
        self.bytes = 0
        self.asked: OpenQuestion | None = None
        self.on_answered: Callable[[bytes], None] = _ignore_node
        self._node = node
        self._stats = stats
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Event()

    @property
    def is_complete(self) -> bool:
        """True if its answers are there, as far as they are waited for."""
        return self.task is not None and self.task.done()

    def serves(self, clients_max: int, now: float) -> bool:
        """True if it answers a present question for up to `clients_max` names."""
        if self.is_complete and (not self.is_wanted or self.fresh_until <= now):
            return False
        return self.question.clients_max >= clients_max or (self.is_complete and self.union.clients is not None)

    def on_receivers(self, count: int) -> None:
        """Record the engine's count of the nodes that were asked."""
        self.rule.on_receivers(count)
        self._news.set()

    def on_answer(self, answer: bytes) -> None:
        """Receive a node's answer. An answer that cannot be read, or is beyond a bound, is counted and dropped."""
        try:
            node, read = self._read(answer)
        except ProtocolError:
            self._stats.malformed += 1
            return
        self.bytes += len(answer)
        self._add(node, read)

    def add_own(self, answer: PresenceAnswer) -> None:
        """Add the answer of this node; from now on its joins and leaves change the union."""
        self.bytes += CLIENT_BYTES * (len(answer.clients) + len(answer.users) + 1)
        self.bytes += sum(info.info_bytes for info in answer.clients.values())
        self._add(self._node, answer)

    def on_gone(self, node: bytes) -> None:
        """Record that a node that was waited for does not exist any more."""
        self.rule.on_gone(node)
        self._news.set()

    @property
    def has_own(self) -> bool:
        """True if the answer of this node is in the union."""
        return self._node in self.union.nodes

    def _read(self, answer: bytes) -> tuple[bytes, PresenceAnswer]:
        envelope = open_envelope(answer, ANSWER)
        read = decode_answer(envelope.body)
        if read.to != self.seq or envelope.origin == self._node:
            raise ProtocolError(BAD_REQUEST, "an answer about presence belongs to another question")
        if len(self.union.nodes) >= ANSWERS_MAX or self.bytes + len(answer) > ANSWER_BYTES_MAX:
            raise ProtocolError(BAD_REQUEST, "the answers about presence are too many")
        return envelope.origin, read

    def _add(self, node: bytes, answer: PresenceAnswer) -> None:
        if node not in self.union.nodes:
            self.union.add(node, answer)
            self.rule.on_answer(node, self._loop.time())
            self.on_answered(node)
            self._news.set()

    async def wait(self, seconds: float) -> None:
        """Return at the next news, at the latest after `seconds`.

        If this process stalled, answers may lie unread in its sockets although the time is over: these are read first.
        """
        self._news.clear()
        try:
            async with asyncio.timeout(seconds):
                await self._news.wait()
        except TimeoutError:
            for _ in range(2):
                await asyncio.sleep(0)

    def close(self) -> None:
        """Stop receiving answers. Idempotent."""
        if self.asked is not None:
            self.asked.close()
            self.asked = None


def _ignore_node(node: bytes) -> None:
    """The listener until the gather's owner sets its own."""
