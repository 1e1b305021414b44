"""Sealed channels: a broker and a history store whose messages are proven (`publication_proofs`).

Their callers seal what they send (`protocol.envelope`): the number in the seal has a meaning for them.
"""

import sys
from collections.abc import Sequence

from ringway.errors import EngineError
from ringway.member.publication_proofs import PublicationProofs
from ringway.ports import (
    Answer,
    Answers,
    Broker,
    Deliver,
    HistoryEntry,
    HistoryStore,
    OnQuestion,
    OpenQuestion,
    Page,
    Position,
    Retention,
)
from ringway.protocol.envelope import QUESTION, answer_context, open_envelope
from ringway.types import Channel


class SealedBroker:
    """A broker that delivers only proven messages (`ports.Broker`)."""

    def __init__(self, broker: Broker, proofs: PublicationProofs) -> None:
        self._broker = broker
        self._proofs = proofs

    def attach(self, deliver: Deliver) -> None:
        """Give proven publications of subscribed channels to `deliver`."""
        self._broker.attach(self.proving(deliver))

    def proving(self, deliver: Deliver) -> Deliver:
        """Return `deliver` for messages that are not proven yet."""
        believe = self._proofs.believe

        def deliver_proven(channel: Channel, payload: bytes, offset: int, previous: int) -> None:
            if believe(channel, payload, offset):
                deliver(channel, payload, offset, previous)

        return deliver_proven

    async def publish(self, channel: Channel, payload: bytes) -> None:
        """Return when the engine has accepted `payload`, which is sealed."""
        await self._broker.publish(channel, payload)

    async def publish_many(
        self, publications: Sequence[tuple[Channel, bytes]], *, deadline_s: float
    ) -> list[EngineError | None]:
        """Publish sealed payloads, each to its channel; return the outcome of each."""
        return await self._broker.publish_many(publications, deadline_s=deadline_s)

    async def subscribe(self, channel: Channel) -> None:
        """Return when every publication that is sent from now on reaches this process."""
        await self._broker.subscribe(channel)

    async def unsubscribe(self, channel: Channel) -> None:
        """Stop delivery of `channel`."""
        await self._broker.unsubscribe(channel)
        self._proofs.forget(channel)

    def attach_questions(self, on_question: OnQuestion) -> None:
        """Give proven questions about subscribed channels to `on_question`."""

        def on_proven(channel: Channel, payload: bytes, answer: Answer) -> None:
            if self._proofs.believe(channel, payload, 0):
                on_question(channel, payload, answer)

        self._broker.attach_questions(on_proven)

    async def ask_subscribers(self, channel: Channel, question: bytes, answers: Answers) -> OpenQuestion:
        """Send `question`, which is sealed, to each member that subscribes to `channel`."""
        return await self._broker.ask_subscribers(
            channel, question, ProvenAnswers(self._proofs, channel, question, answers)
        )


class ProvenAnswers:
    """Gives the proven answers to one question on (`ports.Answers`)."""

    def __init__(self, proofs: PublicationProofs, channel: Channel, question: bytes, answers: Answers) -> None:
        asked = open_envelope(question, QUESTION)
        self._proofs = proofs
        self._channel = channel
        self._context = answer_context(channel, asked.origin, asked.seq)
        self._answers = answers

    def on_receivers(self, count: int) -> None:
        """The engine knows how many members receive the question."""
        self._answers.on_receivers(count)

    def on_answer(self, answer: bytes) -> None:
        """A member, or a stranger, has answered."""
        if self._proofs.believe_answer(self._channel, self._context, answer):
            self._answers.on_answer(answer)


class SealedHistory:
    """A history store that returns only proven publications (`ports.HistoryStore`)."""

    def __init__(self, history: HistoryStore, proofs: PublicationProofs) -> None:
        self._history = history
        self._proofs = proofs

    async def keep(self, retention: Retention) -> None:
        """Make the stores that the namespace needs at the engine."""
        await self._history.keep(retention)

    async def append(self, channel: Channel, payload: bytes, retention: Retention, key: str = "") -> Position:
        """Store `payload`, which is sealed, and send it to the subscribers."""
        return await self._history.append(channel, payload, retention, key)

    async def append_many(
        self, entries: Sequence[HistoryEntry], retention: Retention, *, deadline_s: float
    ) -> list[Position | EngineError]:
        """Store sealed payloads, each in its channel, and send them; return the outcome of each."""
        return await self._history.append_many(entries, retention, deadline_s=deadline_s)

    async def position(self, channel: Channel, retention: Retention) -> Position:
        """Return the position of a subscriber that has received all publications until now."""
        return await self._history.position(channel, retention)

    async def remove(self, channel: Channel, retention: Retention) -> None:
        """Remove the publications that `channel` keeps now."""
        await self._history.remove(channel, retention)

    async def read(
        self,
        channel: Channel,
        retention: Retention,
        since: int | None,
        limit: int,
        reverse: bool = False,
        bytes_max: int = sys.maxsize,
    ) -> Page:
        """Return up to `limit` publications; an empty payload stands in place of each that is not proven."""
        page = await self._history.read(channel, retention, since, limit, reverse, bytes_max)
        return self._proofs.believe_page(channel, page)
