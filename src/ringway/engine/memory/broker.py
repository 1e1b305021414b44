"""Publications of the memory engine, and questions to their subscribers; see `ports.Broker`.

Delivery is by `loop.call_soon`, in the order of publication.
"""

import asyncio
from collections.abc import Sequence

from ringway.engine.memory.connection import MemoryConnection
from ringway.errors import EngineAway, EngineError
from ringway.ports import Answers, Deliver, OnQuestion
from ringway.types import Channel


class MemoryQuestion:
    """A question whose answers are received until `close`; see `ports.OpenQuestion`."""

    def __init__(self, answers: Answers) -> None:
        self._answers: Answers | None = answers

    def send_answer(self, answer: bytes) -> None:
        """Give `answer` to the member that asks, in the next turn of its loop."""
        asyncio.get_running_loop().call_soon(self._on_answer, answer)

    def _on_answer(self, answer: bytes) -> None:
        if self._answers is not None:
            self._answers.on_answer(answer)

    def close(self) -> None:
        """Stop receiving answers."""
        self._answers = None


class MemoryBroker:
    """A member's broker. `brokers` are those of all members, in the order of their creation; it adds itself."""

    def __init__(self, connection: MemoryConnection, brokers: "list[MemoryBroker]") -> None:
        self._connection = connection
        self._brokers = brokers
        self._deliver: Deliver | None = None
        self._on_question: OnQuestion | None = None
        self._channels: set[Channel] = set()
        brokers.append(self)

    def attach(self, deliver: Deliver) -> None:
        """Deliver to `deliver`, in the event loop, one call for each publication."""
        self._deliver = deliver

    async def publish(self, channel: Channel, payload: bytes) -> None:
        """Give `payload` to each subscribed member in the next turn of its loop."""
        self._connection.require()
        self.send(channel, payload, 0, 0)

    async def publish_many(
        self, publications: Sequence[tuple[Channel, bytes]], *, deadline_s: float
    ) -> list[EngineError | None]:
        """Give each payload to the members that subscribe to its channel, in the next turn of their loop."""
        try:
            self._connection.require()
        except EngineAway as error:
            return [error] * len(publications)
        for channel, payload in publications:
            self.send(channel, payload, 0, 0)
        return [None] * len(publications)

    def send(self, channel: Channel, payload: bytes, offset: int, previous: int) -> None:
        """Give a publication to each subscribed member in the next turn of its loop.

        `offset` and `previous` are those of `ports.Deliver`.
        """
        loop = asyncio.get_running_loop()
        for broker in self._brokers:
            if channel in broker._channels:
                loop.call_soon(broker._on_publication, channel, payload, offset, previous)

    def _on_publication(self, channel: Channel, payload: bytes, offset: int, previous: int) -> None:
        # Checked again: the member may have unsubscribed since the publication was sent.
        if channel in self._channels and self._deliver is not None:
            self._deliver(channel, payload, offset, previous)

    async def subscribe(self, channel: Channel) -> None:
        """Deliver publications from now on."""
        self._connection.require()
        self._channels.add(channel)

    async def unsubscribe(self, channel: Channel) -> None:
        """Stop the delivery at once, also of publications under way."""
        self._channels.discard(channel)

    def attach_questions(self, on_question: OnQuestion) -> None:
        """Give each question to `on_question`, in the event loop."""
        self._on_question = on_question

    async def ask_subscribers(self, channel: Channel, question: bytes, answers: Answers) -> MemoryQuestion:
        """Give `question` to each subscribed member in the next turn of its loop; their number is known."""
        self._connection.require()
        loop = asyncio.get_running_loop()
        asked = MemoryQuestion(answers)
        receivers = [broker for broker in self._brokers if channel in broker._channels]
        for broker in receivers:
            loop.call_soon(broker._receive_question, channel, question, asked)
        answers.on_receivers(len(receivers))
        return asked

    def _receive_question(self, channel: Channel, question: bytes, asked: MemoryQuestion) -> None:
        if channel in self._channels and self._on_question is not None:
            self._on_question(channel, question, asked.send_answer)

    def close(self) -> None:
        """Stop all delivery. Idempotent."""
        self._channels.clear()
        if self in self._brokers:
            self._brokers.remove(self)
