"""Publications over Redis pub/sub, and questions to their subscribers; see `ports.Broker`.

A script sends the publications that are kept (`history`). The first byte of a message says what it is: 0 a publication
that is not kept, 1 a publication that is kept, 2 a question (`question`). Redis sends a message to the subscribers of
that moment and stores nothing: a message that is lost on the way is found by its offset, or never.
"""

from collections.abc import Sequence
from functools import partial
from struct import Struct
from typing import Any

from ringway.engine.outcomes import BatchOutcomes
from ringway.engine.redis.command_connection import outcome_of, pack
from ringway.engine.redis.connection import RedisConnections
from ringway.engine.redis.inbox import RedisInbox
from ringway.engine.redis.names import Names, end_of
from ringway.engine.redis.question import QUESTION, RedisQuestion, read_question
from ringway.errors import EngineError, EngineUnsuitable
from ringway.ports import Answer, Answers, Deliver, OnQuestion
from ringway.types import Channel

PAYLOAD_BYTES_MAX = 64 << 20
"""The largest publication; Redis itself takes 512 MB (proto-max-bulk-len)."""

PLAIN = b"\0"
"""The first byte of a message whose publication is not kept."""

KEPT = b"\1"
"""The first byte of a message whose publication is kept."""

_PLACE = Struct(">BQQ")
"""The beginning of a message whose publication is kept: 1, its offset, the previous offset (see append.lua)."""


class _ChannelSubscription:
    """Receives the messages of one channel."""

    __slots__ = ("_broker", "_channel")

    def __init__(self, broker: "RedisBroker", channel: Channel) -> None:
        self._broker = broker
        self._channel = channel

    def __call__(self, data: bytes) -> None:
        """Deliver the publication, with its offsets if it is kept; or give the question to its listener.

        A malformed message is delivered unchanged: the node refuses it and counts it.
        """
        first = data[:1]
        if first == PLAIN:
            self._broker.deliver(self._channel, data[1:], 0, 0)
        elif first == KEPT and len(data) >= _PLACE.size:
            _, offset, previous = _PLACE.unpack_from(data)
            self._broker.report_missed()
            self._broker.deliver(self._channel, data[_PLACE.size :], offset, previous)
        elif first == QUESTION:
            self._broker.receive_question(self._channel, data)
        else:
            self._broker.deliver(self._channel, data, 0, 0)


class RedisBroker:
    """Carries publications. Redis knows the subscriptions of this process, and sends their messages only."""

    def __init__(self, connections: RedisConnections, names: Names, inbox: RedisInbox) -> None:
        self.report_missed = connections.report_missed
        self._connections = connections
        self._names = names
        self._inbox = inbox
        self.deliver: Deliver = _ignore_publication
        self._on_question: OnQuestion = _ignore_question

    def attach(self, deliver: Deliver) -> None:
        """Deliver to `deliver`, in the call stack of the read, without a queue and without loss."""
        self.deliver = deliver

    async def publish(self, channel: Channel, payload: bytes) -> None:
        """Return when the server has sent `payload` to all subscribers.

        The publications of one loop turn leave in one write. To publish without waiting for each round trip, publish
        from several tasks. Raise `EngineAway` if the server cannot be reached (nothing was sent), `Unconfirmed` if the
        connection was lost before the answer, and `EngineUnsuitable` if `payload` is too large.
        """
        check_size(payload)
        await self._connections.publish(self._names.of("ch", channel), PLAIN + payload)

    async def publish_many(
        self, publications: Sequence[tuple[Channel, bytes]], *, deadline_s: float
    ) -> list[EngineError | None]:
        """Send all to their servers, in one write for each server; return the outcome of each."""
        outcomes: BatchOutcomes[int] = BatchOutcomes(len(publications))
        connections, prefix = self._connections, self._names.prefix_of("ch")
        for at, (channel, payload) in enumerate(publications):
            name = prefix + end_of(channel)
            try:
                check_size(payload)
                command = pack(connections.publish_word, name, PLAIN + payload)
                connections.send_command(name, command, partial(_settle, outcomes, at))
            except EngineError as error:
                outcomes.settle(at, error)
        return [
            outcome if isinstance(outcome, EngineError) else None for outcome in await outcomes.wait_until(deadline_s)
        ]

    async def subscribe(self, channel: Channel) -> None:
        """Return when the server has confirmed the subscription. Subscribes of one loop turn share one round trip.

        If it is cancelled, the subscription may remain; `unsubscribe` ends it.
        """
        await self._connections.subscribe(self._names.of("ch", channel), _ChannelSubscription(self, channel))

    async def unsubscribe(self, channel: Channel) -> None:
        """Stop delivery at once. The request to the server leaves at the end of this loop turn."""
        self._connections.unsubscribe(self._names.of("ch", channel))

    def attach_questions(self, on_question: OnQuestion) -> None:
        """Give each question to `on_question`, in the call stack of the read."""
        self._on_question = on_question

    async def ask_subscribers(self, channel: Channel, question: bytes, answers: Answers) -> RedisQuestion:
        """Return when the server has sent `question` to all subscribers, and has said how many they are.

        Raise `EngineAway` if the server cannot be reached or was lost, `EngineUnsuitable` if `question` is too large.
        """
        check_size(question)
        asked = RedisQuestion(self._inbox, answers)
        try:
            count = await self._connections.publish(self._names.of("ch", channel), asked.message(question))
        except BaseException:
            asked.close()
            raise
        answers.on_receivers(count)
        return asked

    def receive_question(self, channel: Channel, message: bytes) -> None:
        """Give a question to the listener. Without a member's inbox it is delivered as it is, and so refused."""
        read = read_question(message)
        if read is None or not self._inbox.is_inbox(read[1]):
            self.deliver(channel, message, 0, 0)
            return
        number, inbox, question = read
        self._on_question(channel, question, partial(self._send_answer, inbox, number))

    def _send_answer(self, inbox: bytes, number: bytes, answer: bytes) -> None:
        self._connections.publish_unconfirmed(inbox, b"%b\n%b" % (number, answer))


def _settle(outcomes: BatchOutcomes[int], at: int, reply: Any) -> None:
    outcomes.settle(at, outcome_of(reply))


def check_size(payload: bytes) -> None:
    """Raise `EngineUnsuitable` if `payload` is larger than a publication may be."""
    if len(payload) > PAYLOAD_BYTES_MAX:
        raise EngineUnsuitable(
            f"a publication of {len(payload)} bytes; over Redis {PAYLOAD_BYTES_MAX} are the most: publish less at once"
        )


def _ignore_publication(channel: Channel, payload: bytes, offset: int, previous: int) -> None:
    """Stand in for `deliver` until a listener is attached."""


def _ignore_question(channel: Channel, question: bytes, answer: Answer) -> None:
    """Stand in until a listener for questions is attached."""
