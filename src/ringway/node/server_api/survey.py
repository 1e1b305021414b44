"""Survey of the nodes: each answers for its own connections and channels (PROTOCOL.md P-9.12)."""

from collections.abc import Callable

from ringway.core.glob import compile_glob
from ringway.errors import ProtocolError
from ringway.node.clients import NodeClients
from ringway.node.environment import NodeEnvironment
from ringway.ports import Serving
from ringway.protocol.close import BAD_REQUEST
from ringway.protocol.report import Report
from ringway.protocol.survey import (
    ANSWER_BYTES_MAX,
    NODES,
    AskChannels,
    NodeChannels,
    NodeInfo,
    decode_question,
    encode,
)
from ringway.version import VERSION


class NodeSurvey:
    """Answers the questions to all nodes, for one node. `report` returns its present report."""

    def __init__(self, environment: NodeEnvironment, clients: NodeClients, report: Callable[[], Report]) -> None:
        self._environment = environment
        self._clients = clients
        self._report = report
        self._started_at = environment.clock()
        self._serving: Serving | None = None

    async def start(self) -> None:
        """Begin to answer."""
        self._serving = await self._environment.engine.bus.serve(NODES, self.handle)

    async def stop(self) -> None:
        """Stop answering."""
        if self._serving is not None:
            await self._serving.close()

    async def handle(self, raw: bytes) -> bytes:
        """Answer one question (`ports.Handler`). Raise `ProtocolError` if it cannot be read."""
        question = decode_question(raw)
        return encode(self._channels(question) if isinstance(question, AskChannels) else self._info())

    def _info(self) -> NodeInfo:
        environment, registry, hub = self._environment, self._clients.registry, self._clients.channels.hub
        report, channels = self._report(), hub.channels()
        return NodeInfo(
            name=environment.name,
            incarnation=environment.incarnation,
            version=VERSION,
            connections=registry.connected,
            users=registry.users,
            subscriptions=sum(hub.count(channel) for channel in channels),
            channels=len(channels),
            uptime_s=environment.clock() - self._started_at,
            cpu=report.cpu,
            memory_bytes=report.memory_bytes,
        )

    def _channels(self, question: AskChannels) -> NodeChannels:
        try:
            matches = compile_glob(question.pattern) if question.pattern else _match_all
        except ValueError as error:
            raise ProtocolError(BAD_REQUEST, str(error)) from None
        hub = self._clients.channels.hub
        found: dict[str, int] = {}
        size = 0
        for channel in hub.channels():
            if matches(channel):
                size += len(channel.encode()) + 16
                if len(found) >= question.channels_max or size > ANSWER_BYTES_MAX:
                    return NodeChannels(incarnation=self._environment.incarnation, channels=found, is_cut=True)
                found[channel] = hub.count(channel)
        return NodeChannels(incarnation=self._environment.incarnation, channels=found)


def _match_all(name: str) -> bool:
    return True
