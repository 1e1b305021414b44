"""Presence: the clients that are subscribed to a channel, asked of the nodes that have it and stored nowhere.

A question goes out on the channel itself, so it reaches exactly the nodes that have subscribers of the channel, or a
session for it on the way. Each answers for its own connections, and for sessions that are prepared to come to it
(`incoming_sessions`). So a session on its way from one node to another is never absent. `gathers` says for how long the
answers are used, `core.gathering` how long they are waited for, `core.presence` how they are joined.

Joins and leaves are published in namespaces with `join_leave`: by a message through the engine, in the order of the
events at this node. Moves are not published. A node that dies publishes no leaves.
"""

import asyncio
from collections.abc import Callable, Iterable

from ringway.core.hub import Hub
from ringway.errors import ProtocolError
from ringway.node.channels.gathers import PresenceGathers
from ringway.node.channels.join_leave import JoinLeavePublisher
from ringway.node.config.namespace import Namespaces
from ringway.node.config.node import NodeConfig
from ringway.node.connection.subscriber import Send, Subscriber
from ringway.node.stats import NodeStats
from ringway.ports import Answer, Engine, Serving
from ringway.protocol.command import ClientInfo, PresenceResult, PresenceStatsResult
from ringway.protocol.envelope import JOIN, LEAVE, QUESTION, Envelope, Origin, open_envelope
from ringway.protocol.errorcode import LIMIT_EXCEEDED, command_error
from ringway.protocol.presence import (
    USERS_MAX,
    PresenceAnswer,
    PresenceQuestion,
    address_answer,
    decode_question,
    encode,
    presence_address,
)
from ringway.types import Channel

NAMES_FOR_STATS_MAX = 100
"""Up to how many clients each node names although they are only counted: named clients are counted exactly."""

MovingSessions = Callable[[Channel], Iterable[ClientInfo]]
"""Returns the clients whose sessions are moving and subscribed to a channel."""


class Presence:
    """Answers queries about presence, of clients and of other nodes."""

    def __init__(
        self,
        engine: Engine,
        namespaces: Namespaces,
        hub: Hub[Subscriber, Send],
        publisher: JoinLeavePublisher,
        origin: Origin,
        config: NodeConfig,
        stats: NodeStats,
    ) -> None:
        self.incoming_sessions: list[MovingSessions] = []
        """Sessions that come to this node, and have no connection here yet."""
        self.outgoing_sessions: list[MovingSessions] = []
        """Sessions that leave this node, and are still subscribed here."""
        self._engine = engine
        self._namespaces = namespaces
        self._hub = hub
        self._publisher = publisher
        self._origin = origin
        self._stats = stats
        self._clients_max = config.presence_clients_max
        self._info_bytes_max = config.answer_bytes_max
        self._gathers = PresenceGathers(engine, origin, config, stats, self.answer)
        self._serving: Serving | None = None
        self._answers: dict[PresenceQuestion, bytes] = {}  # of this turn of the loop

    async def start(self) -> None:
        """Begin to answer queries."""
        self._engine.broker.attach_questions(self.on_question)
        self._serving = await self._engine.bus.serve(presence_address(self._origin.node), self.handle)

    async def stop(self) -> None:
        """Ask no more, and send the joins and leaves that wait.

        Questions are answered as long as the engine is open: until then this node is subscribed and waited for.
        """
        if self._serving is not None:
            await self._serving.close()
        await self._gathers.aclose()
        await self._publisher.aclose()

    @property
    def is_publishing(self) -> bool:
        """True if joins and leaves are on their way to the engine."""
        return self._publisher.is_sending

    def publish_join(self, channel: Channel, info: ClientInfo) -> None:
        """Publish that `info` joined `channel`, if the namespace has `join_leave`. Not for moved sessions."""
        self._gathers.on_join(channel, info)
        if self._namespaces.of(channel).join_leave:
            self._publisher.publish(channel, JOIN, info)

    def publish_leave(self, channel: Channel, info: ClientInfo) -> None:
        """Publish that `info` left `channel`, if the namespace has `join_leave`; also for a session that never came."""
        self._gathers.on_leave(channel, info)
        if self._namespaces.of(channel).join_leave:
            self._publisher.publish(channel, LEAVE, info)

    def on_note(self, channel: Channel, node: bytes) -> None:
        """A node has published a join or leave: what was gathered before is not used any more."""
        if node != self._origin.node:
            self._gathers.forget(channel)

    def tick(self) -> None:
        """Let time pass; call it a few times a second."""
        self._gathers.tick()

    async def clients(self, channel: Channel) -> PresenceResult:
        """Return the subscribers on all nodes.

        Raise `CommandError` 106 if there are too many or their info is too long, as well as what
        `PresenceGathers.gather` raises.
        """
        union = await self._gathers.gather(channel, self._clients_max)
        clients = union.clients
        if clients is None or _info_bytes(clients.values()) > self._info_bytes_max:
            raise command_error(
                LIMIT_EXCEEDED,
                f"{union.count} clients are subscribed; at most {self._clients_max} are named, with "
                f"{self._info_bytes_max} bytes of info in all; ask for presence_stats",
            )
        return PresenceResult(clients)

    async def stats(self, channel: Channel) -> PresenceStatsResult:
        """Return the number of subscribers on all nodes. Raise what `PresenceGathers.gather` raises."""
        union = await self._gathers.gather(channel, min(self._clients_max, NAMES_FOR_STATS_MAX))
        return PresenceStatsResult(num_clients=union.count, num_users=union.users)

    def on_question(self, channel: Channel, payload: bytes, answer: Answer) -> None:
        """Answer a question that came on a channel (`ports.OnQuestion`). One that cannot be read is counted."""
        try:
            envelope, question = self._read(payload)
        except ProtocolError:
            return
        if question.channel != channel:
            self._stats.malformed += 1
        elif envelope.origin == self._origin.node:
            self._gathers.on_own_question(envelope.seq)
        else:
            answer(self._sealed_answer(envelope, question))

    async def handle(self, raw: bytes) -> bytes:
        """Answer a question to this node alone (`ports.Handler`). Raise `ProtocolError` if it cannot be read."""
        envelope, question = self._read(raw)
        return self._sealed_answer(envelope, question)

    def answer(self, question: PresenceQuestion) -> PresenceAnswer:
        """Return the subscribers at this node."""
        channel = question.channel
        infos = {
            info.client: info for info in (who.info_in(channel) for who, _ in self._hub.subscribers(channel) or ())
        }
        count = len(infos)
        leaving = [info.client for sessions in self.outgoing_sessions for info in sessions(channel)]
        coming = [info for sessions in self.incoming_sessions for info in sessions(channel) if info.client not in infos]
        infos.update((info.client, info) for info in coming)
        answer = PresenceAnswer(count=count, coming=[info.client for info in coming], leaving=leaving)
        if len(infos) <= question.clients_max and _info_bytes(infos.values()) <= self._info_bytes_max:
            answer.clients = infos
        else:
            answer.users = list({info.user for info in infos.values()})[:USERS_MAX]
        return answer

    def _sealed_answer(self, envelope: Envelope, question: PresenceQuestion) -> bytes:
        """Return the message that answers `question`, which came in `envelope`.

        Many nodes may ask the same in one turn of the loop, of a channel with many subscribers: it is answered once.
        """
        answer = self._answers.get(question)
        if answer is None:
            if not self._answers:
                asyncio.get_running_loop().call_soon(self._answers.clear)
            answer = self._answers[question] = encode(self.answer(question))
        return self._origin.seal_answer(question.channel, envelope, address_answer(answer, envelope.seq))

    def _read(self, payload: bytes) -> tuple[Envelope, PresenceQuestion]:
        """Return a question; raise `ProtocolError` if it cannot be read, and count it."""
        try:
            envelope = open_envelope(payload, QUESTION)
            return envelope, decode_question(envelope.body)
        except ProtocolError:
            self._stats.malformed += 1
            raise


def _info_bytes(infos: Iterable[ClientInfo]) -> int:
    return sum(info.info_bytes for info in infos)
