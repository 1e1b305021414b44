"""Who is subscribed to a channel: asked of the nodes that are alive, and kept nowhere (DESIGN.md 9).

Every node answers for its own connections, and for sessions that are prepared to come to it (`guests`): so a session
on its way from one node to another is never absent. The answers of both are joined by the client's id. A node that does
not answer within `presence_deadline_s` is left out.

Who comes and goes is told to those who asked for it, in namespaces with `join_leave`: by a message through the engine,
in the order of the events at this node. Moves are not told. A node that dies tells nobody who was on it.
"""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import structlog

from ringway.errors import ProtocolError
from ringway.node.channels.join_leave import Notices
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

if TYPE_CHECKING:
    from ringway.core.hub import Hub
    from ringway.node.config.namespace import Namespaces
    from ringway.node.config.node import NodeConfig
    from ringway.node.connection.connection import Connection
    from ringway.node.connection.outbox import Send
    from ringway.ports import Engine, Serving

Guests = Callable[[Channel], Iterable[ClientInfo]]
"""Says which sessions, beside the connections, are subscribed to a channel here."""

_log = structlog.get_logger()


class Presence:
    """See the module. `nodes` says how many nodes are alive, this one included."""

    def __init__(
        self,
        engine: "Engine",
        namespaces: "Namespaces",
        hub: "Hub[Connection, Send]",
        notices: Notices,
        config: "NodeConfig",
        nodes: Callable[[], int],
    ) -> None:
        self.guests: list[Guests] = []
        self._engine = engine
        self._namespaces = namespaces
        self._hub = hub
        self._notices = notices
        self._config = config
        self._nodes = nodes
        self._serving: Serving | None = None

    async def start(self) -> None:
        """Begin to answer."""
        self._serving = await self._engine.bus.serve(PRESENCE, self.handle)

    async def stop(self) -> None:
        """Answer no more, and send what is left to tell."""
        if self._serving is not None:
            await self._serving.close()
        await self._notices.close()

    def arrive(self, channel: Channel, info: ClientInfo) -> None:
        """Tell that `info` came to `channel`, where the namespace says so. For moved sessions: leave the call out."""
        if self._namespaces.of(channel).join_leave:
            self._notices.tell(channel, JOIN, info)

    def depart(self, channel: Channel, info: ClientInfo) -> None:
        """Tell that `info` left `channel`, where the namespace says so; also for a session that never came."""
        if self._namespaces.of(channel).join_leave:
            self._notices.tell(channel, LEAVE, info)

    async def clients(self, channel: Channel) -> PresenceResult:
        """Return who is subscribed, on all nodes. Raise `CommandError` 106 where they are too many, `EngineError`."""
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
        """Return how many are subscribed, on all nodes. Raise `EngineError`."""
        answers = await self._gather(PresenceQuestion(channel))
        users = {user for answer in answers for user in answer.users}
        coming = {client for answer in answers for client in answer.coming}
        leaving = {client for answer in answers for client in answer.leaving}  # they are counted where they still are
        count = sum(answer.count for answer in answers) + len(coming - leaving)
        return PresenceStatsResult(num_clients=count, num_users=len(users))

    async def handle(self, raw: bytes) -> bytes:
        """Answer another node, or this one (`ports.Handler`)."""
        try:
            question = decode_question(raw)
        except ProtocolError as error:
            _log.warning("a question about presence was not understood", error=str(error))
            return encode(PresenceAnswer())
        return encode(self.answer(question))

    def answer(self, question: PresenceQuestion) -> PresenceAnswer:
        """Return who is subscribed here."""
        subscribers = self._hub.subscribers(question.channel)
        infos = {who.client: who.info for who, _ in subscribers or ()}
        count = len(infos)
        leaving = [who.client for who, _ in subscribers or () if who.handover is not None]
        coming = [info for guests in self.guests for info in guests(question.channel) if info.client not in infos]
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
