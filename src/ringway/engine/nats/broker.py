"""Publications over core NATS, and questions to their subscribers (`ports.Broker`).

Publications with history come from a stream (`history`). A message that has a reply subject is a question (`question`).
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from functools import partial

from ringway.engine.address import token, tokens
from ringway.engine.nats import command
from ringway.engine.nats.connection import NatsConnection
from ringway.engine.nats.header import REMOVED, place
from ringway.engine.nats.inbox import NatsInbox
from ringway.engine.nats.outbox import no_room
from ringway.engine.nats.question import NatsQuestion
from ringway.errors import EngineAway, EngineError, EngineUnsuitable, Unconfirmed
from ringway.logger import get_logger
from ringway.ports import Answer, Answers, Deliver, OnQuestion
from ringway.types import Channel

_log = get_logger()


class _ChannelSubscription:
    """The interest in one channel: some 250 bytes with its place in both tables."""

    __slots__ = ("_broker", "channel")

    queue = ""

    def __init__(self, broker: "NatsBroker", channel: Channel) -> None:
        self._broker = broker
        self.channel = channel

    @property
    def subject(self) -> str:
        """The subject; it is computed, since only subscribes need it."""
        return self._broker.subject(self.channel)

    def receive(self, subject: bytes, reply: bytes, header: bytes, payload: bytes) -> None:
        """Deliver the publication, with its place if a stream republished it."""
        if header:
            if REMOVED in header:
                return  # no publication: subscribers are not told
            self._broker.deliver(self.channel, payload, *place(header))
        elif reply:
            self._broker.receive_question(self.channel, reply, payload)
        else:
            self._broker.deliver(self.channel, payload, 0, 0)


class NatsBroker:
    """Carries publications; NATS sends only the channels that this process subscribes to."""

    def __init__(self, connection: NatsConnection, prefix: str, inbox: NatsInbox) -> None:
        self._connection = connection
        self._prefix = f"{prefix}.ch."
        self._inbox = inbox
        self._sids: dict[Channel, int] = {}
        self.deliver: Deliver = _nobody
        self._on_question: OnQuestion = _ignore_question

    def subject(self, channel: Channel) -> str:
        """The NATS subject of `channel`."""
        return self._prefix + token(channel)

    def attach(self, deliver: Deliver) -> None:
        """Call `deliver` for each publication, in the call stack of the read, without a queue and without loss."""
        self.deliver = deliver

    async def publish(self, channel: Channel, payload: bytes) -> None:
        """Return when the server has processed `payload`: sent it to all its subscribers.

        The publications of one loop turn leave in one write and share one confirmation; publish from several tasks to
        avoid a round trip for each. Raise `EngineAway` at once if the server cannot be reached (nothing was sent),
        `Unconfirmed` if the connection is lost before the confirmation (it may have been sent), and `EngineUnsuitable`
        if `payload` is larger than the server allows.
        """
        self._check_size(payload)
        self._connection.send(self.subject(channel), payload)
        await self._connection.outbox.processed()

    async def publish_many(
        self, publications: Sequence[tuple[Channel, bytes]], *, deadline_s: float
    ) -> list[EngineError | None]:
        """Send all in one write, with one confirmation for all that were sent; return the outcome of each."""
        try:
            self._connection.require()
        except EngineAway as error:
            return [error] * len(publications)
        bytes_max = self._connection.payload_bytes_max
        outcomes: list[EngineError | None] = [None] * len(publications)
        if any(len(payload) > bytes_max for _, payload in publications):
            outcomes = [self._too_large(payload) for _, payload in publications]
            publications = [each for each, outcome in zip(publications, outcomes, strict=True) if outcome is None]
        found = iter(await self._send_together(publications, deadline_s))
        return [next(found) if outcome is None else outcome for outcome in outcomes]

    async def _send_together(
        self, publications: Sequence[tuple[Channel, bytes]], deadline_s: float
    ) -> list[EngineError | None]:
        prefix, write = self._prefix.encode(), command.publish_bare
        names = tokens([channel for channel, _ in publications])
        sent = self._connection.send_many(
            [write(prefix + name.encode(), payload) for name, (_, payload) in zip(names, publications, strict=True)]
        )
        outcome: EngineError | None = None
        if sent:
            try:
                async with asyncio.timeout(deadline_s):
                    await self._connection.outbox.processed()
            except TimeoutError:
                outcome = Unconfirmed(f"NATS did not confirm within {deadline_s:g} s")
            except EngineError as error:
                outcome = error
        return [outcome] * sent + [no_room()] * (len(publications) - sent)

    async def subscribe(self, channel: Channel) -> None:
        """Return when the server has processed the subscription. Subscribes of one loop turn share one round trip.

        A cancelled call may leave the subscription behind; `unsubscribe` ends it.
        """
        self._connection.require()
        if channel in self._sids:
            await self._connection.outbox.processed()  # an earlier subscribe may still be under way
            return
        sid = self._sids[channel] = self._connection.subscribe(_ChannelSubscription(self, channel))
        try:
            await self._connection.outbox.processed()
        except EngineAway:
            if self._sids.get(channel) == sid:
                await self.unsubscribe(channel)
            raise

    async def unsubscribe(self, channel: Channel) -> None:
        """Stop delivery at once; the request to the server leaves at the end of this loop turn."""
        sid = self._sids.pop(channel, None)
        if sid is not None:
            self._connection.unsubscribe(sid)

    def attach_questions(self, on_question: OnQuestion) -> None:
        """Call `on_question` for each question, in the call stack of the read."""
        self._on_question = on_question

    async def ask_subscribers(self, channel: Channel, question: bytes, answers: Answers) -> NatsQuestion:
        """Send `question` at the end of this loop turn. NATS does not say how many receive it, unless there are none.

        Raise `EngineAway` if the server cannot be reached, `EngineUnsuitable` if `question` is larger than it allows.
        """
        self._check_size(question)
        self._connection.require()
        asked = NatsQuestion(self._inbox, answers)
        try:
            self._connection.send(self.subject(channel), question, asked.address)
        except EngineAway:
            asked.close()
            raise
        return asked

    def receive_question(self, channel: Channel, reply: bytes, question: bytes) -> None:
        """Give a question to the listener. Without a member's inbox it is delivered as it is, and so refused."""
        if self._inbox.is_address(reply):
            self._on_question(channel, question, partial(self._send_answer, reply.decode(errors="replace")))
        else:
            self.deliver(channel, question, 0, 0)

    def _send_answer(self, address: str, answer: bytes) -> None:
        if len(answer) > self._connection.payload_bytes_max:  # the server would end the connection
            _log.warning(
                "an answer is larger than NATS takes; raise its max_payload, or lower presence_clients_max",
                bytes=len(answer),
                bytes_max=self._connection.payload_bytes_max,
            )
            return
        with suppress(EngineAway):  # the asker has a deadline
            self._connection.send(address, answer)

    def _check_size(self, payload: bytes) -> None:
        refused = self._too_large(payload)
        if refused is not None:
            raise refused

    def _too_large(self, payload: bytes) -> EngineUnsuitable | None:
        """Return the error of a payload that is larger than the server allows; None for others."""
        bytes_max = self._connection.payload_bytes_max
        if len(payload) <= bytes_max:
            return None
        return EngineUnsuitable(
            f"a publication of {len(payload)} bytes; this NATS takes {bytes_max} at most: raise its max_payload, or "
            "publish less"
        )


def _ignore_question(channel: Channel, question: bytes, answer: Answer) -> None:
    """Drop a question: no listener is attached yet."""


def _nobody(channel: Channel, payload: bytes, offset: int, previous: int) -> None:
    """Drop a publication: no listener is attached yet."""
