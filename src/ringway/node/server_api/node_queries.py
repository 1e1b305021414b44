"""Questions of backends about all nodes: what they are doing, and which channels they have."""

from ringway.core.glob import compile_glob
from ringway.node.server_api.cluster import ClusterCalls
from ringway.protocol.errorcode import BAD_REQUEST, LIMIT_EXCEEDED, command_error
from ringway.protocol.server_api import (
    ChannelsRequest,
    ChannelsResult,
    ChannelSummary,
    InfoRequest,
    InfoResult,
    NodeSummary,
    ProcessInfo,
)
from ringway.protocol.survey import NODES, AskChannels, AskInfo, NodeChannels, NodeInfo, decode_answer, encode


class NodeQueries:
    """Answers questions about all nodes. All methods raise `CommandError` or `EngineError`."""

    def __init__(self, cluster: ClusterCalls, channels_max: int) -> None:
        self._cluster = cluster
        self._channels_max = channels_max

    async def info(self, request: InfoRequest) -> InfoResult:
        """Return what the nodes are doing."""
        answers = await self._cluster.ask_all(NODES, encode(AskInfo()), decode_answer)
        found = [answer for answer in answers if isinstance(answer, NodeInfo)]
        return InfoResult([_summary(node) for node in sorted(found, key=lambda node: node.name)])

    async def channels(self, request: ChannelsRequest) -> ChannelsResult:
        """Return the channels of all nodes, with the number of their subscribers."""
        try:
            compile_glob(request.pattern)
        except ValueError as error:
            raise command_error(BAD_REQUEST, str(error)) from None
        question = encode(AskChannels(pattern=request.pattern, channels_max=self._channels_max))
        found: dict[str, ChannelSummary] = {}
        for answer in await self._cluster.ask_all(NODES, question, decode_answer):
            if not isinstance(answer, NodeChannels):
                continue
            for channel, count in answer.channels.items():
                found.setdefault(channel, ChannelSummary(0)).num_clients += count
            if answer.is_cut or len(found) > self._channels_max:
                raise command_error(
                    LIMIT_EXCEEDED,
                    f"there are more than {len(found)} channels; give a narrower `pattern`, or raise "
                    "http_api.channels_max",
                )
        return ChannelsResult(found)


def _summary(node: NodeInfo) -> NodeSummary:
    return NodeSummary(
        uid=node.incarnation,
        name=node.name,
        version=node.version,
        num_clients=node.connections,
        num_users=node.users,
        num_subs=node.subscriptions,
        num_channels=node.channels,
        uptime=int(node.uptime_s),
        process=ProcessInfo(round(100 * node.cpu, 1), node.memory_bytes),
    )
