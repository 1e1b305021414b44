"""Presence: the clients that are subscribed to a channel, asked of all living nodes and stored nowhere.

Every node answers for its own connections, and for sessions that are prepared to come to it (`incoming_sessions`). So a
session on its way from one node to another is never absent. The answers of both are joined by the client's id. A node
that does not answer within `presence_deadline_s` is left out.

Joins and leaves are published in namespaces with `join_leave`: by a message through the engine, in the order of the
events at this node. Moves are not published. A node that dies publishes no leaves.
"""

from collections.abc import Callable, Iterable

from ringway.core.hub import Hub
from ringway.errors import ProtocolError
from ringway.logger import get_logger
from ringway.node.channels.join_leave import JoinLeavePublisher
from ringway.node.config.namespace import Namespaces
from ringway.node.config.node import NodeConfig
from ringway.node.connection.subscriber import Send, Subscriber
from ringway.ports import Engine, Serving
from ringway.protocol.command import ClientInfo, PresenceResult, PresenceStatsResult
from ringway.protocol.envelope import JOIN, LEAVE
from ringway.protocol.errorcode import LIMIT_EXCEEDED, command_error
from ringway.protocol.presence import (
    PRESENCE,
    USERS_MAX,
    PresenceAnswer,
    PresenceQuestion,
    decode_answer,
    decode_question,
    encode,
)
from ringway.types import Channel

MovingSessions = Callable[[Channel], Iterable[ClientInfo]]
"""Returns the clients whose sessions are moving and subscribed to a channel."""

_log = get_logger()


class Presence:
    """Answers queries about presence. `nodes` counts the nodes that are alive, this node included."""

    def __init__(
        self,
        engine: Engine,
        namespaces: Namespaces,
        hub: Hub[Subscriber, Send],
        publisher: JoinLeavePublisher,
        config: NodeConfig,
        nodes: Callable[[], int],
    ) -> None:
        self.incoming_sessions: list[MovingSessions] = []
        """Sessions that come to this node, and have no connection here yet."""
        self.outgoing_sessions: list[MovingSessions] = []
        """Sessions that leave this node, and are still subscribed here."""
        self._engine = engine
        self._namespaces = namespaces
        self._hub = hub
        self._publisher = publisher
        self._config = config
        self._nodes = nodes
        self._serving: Serving | None = None

    async def start(self) -> None:
        """Begin to answer."""
        self._serving = await self._engine.bus.serve(PRESENCE, self.handle)

    async def stop_answering(self) -> None:
        """Answer no more. Idempotent."""
        if self._serving is not None:
            await self._serving.close()

    async def stop(self) -> None:
        """Answer no more, and send the joins and leaves that wait."""
        await self.stop_answering()
        await self._publisher.aclose()

    @property
    def is_publishing(self) -> bool:
        """Whether joins and leaves are on their way to the engine."""
        return self._publisher.is_sending

    def publish_join(self, channel: Channel, info: ClientInfo) -> None:
        """Publish that `info` came to `channel`, if the namespace says so. Not for moved sessions."""
        if self._namespaces.of(channel).join_leave:
            self._publisher.publish(channel, JOIN, info)

    def publish_leave(self, channel: Channel, info: ClientInfo) -> None:
        """Publish that `info` left `channel`, if the namespace says so; also for a session that never came."""
        if self._namespaces.of(channel).join_leave:
            self._publisher.publish(channel, LEAVE, info)

    async def clients(self, channel: Channel) -> PresenceResult:
        """Return the subscribers on all nodes. Raise `CommandError` 106 if there are too many, `EngineError`."""
        most = self._config.presence_clients_max
        answers = await self._gather(PresenceQuestion(channel, most))
        found: dict[str, ClientInfo] = {}
        for answer in answers:
            found.update(answer.clients)
        if len(found) > most or any(answer.count > most for answer in answers):
            count = sum(answer.count for answer in answers)
            raise command_error(
                LIMIT_EXCEEDED, f"{count} clients are subscribed, at most {most} are named; ask for presence_stats"
            )
        return PresenceResult(found)

    async def stats(self, channel: Channel) -> PresenceStatsResult:
        """Return the number of subscribers on all nodes. Raise `EngineError`."""
        answers = await self._gather(PresenceQuestion(channel))
        users = {user for answer in answers for user in answer.users}
        coming = {client for answer in answers for client in answer.coming}
        leaving = {client for answer in answers for client in answer.leaving}  # counted at the node that they leave
        count = sum(answer.count for answer in answers) + len(coming - leaving)
        return PresenceStatsResult(num_clients=count, num_users=len(users))

    async def handle(self, raw: bytes) -> bytes:
        """Answer a node of the cluster (`ports.Handler`)."""
        try:
            question = decode_question(raw)
        except ProtocolError as error:
            _log.warning("a question about presence was not understood", error=str(error))
            return encode(PresenceAnswer())
        return encode(self.answer(question))

    def answer(self, question: PresenceQuestion) -> PresenceAnswer:
        """Return the subscribers at this node."""
        channel = question.channel
        infos = {info.client: info for info in (who.info for who, _ in self._hub.subscribers(channel) or ())}
        count = len(infos)
        leaving = [info.client for sessions in self.outgoing_sessions for info in sessions(channel)]
        coming = [info for sessions in self.incoming_sessions for info in sessions(channel) if info.client not in infos]
        infos.update((info.client, info) for info in coming)
        users = list({info.user for info in infos.values()})[:USERS_MAX]
        named = infos if len(infos) <= question.clients_max else {}
        return PresenceAnswer(count, named, users, [info.client for info in coming], leaving)

    async def _gather(self, question: PresenceQuestion) -> list[PresenceAnswer]:
        nodes = self._nodes()
        if nodes <= 1:
            return [self.answer(question)]
        deadline_s = self._config.presence_deadline_s
        raw = await self._engine.bus.gather(PRESENCE, encode(question), timeout_s=deadline_s, expected=nodes)
        answers: list[PresenceAnswer] = []
        for answer in raw:
            try:
                answers.append(decode_answer(answer))
            except ProtocolError as error:
                _log.warning("an answer about presence was not understood", error=str(error))
        return answers
