"""Requests of the balancer to nodes: one request, one answer, within a deadline."""

from ringway.core.recent import Recent
from ringway.errors import EngineError, ProtocolError
from ringway.logger import get_logger
from ringway.ports import Engine
from ringway.protocol.order import (
    NodeAnswer,
    NodeConsent,
    NodeRefusal,
    NodeRequest,
    decode_node_answer,
    encode,
    node_address,
)
from ringway.types import NodeName

ANSWER_S = 2.0

_log = get_logger()


async def call_node(engine: Engine, node: NodeName, request: NodeRequest) -> NodeAnswer:
    """Return the answer of `node`; silence counts as a refusal."""
    try:
        raw = await engine.bus.call(node_address(node), encode(request), timeout_s=ANSWER_S)
        answer: NodeAnswer = decode_node_answer(raw)
    except (EngineError, ProtocolError) as error:
        return NodeRefusal(why=f"it did not answer: {error}")
    return answer


class Nodes:
    """The nodes, as a leader asks them round by round. A refusal is logged once, until the node consents again."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._refused: Recent[NodeName, str] = Recent()

    async def ask(self, node: NodeName, request: NodeRequest) -> NodeConsent | None:
        """Return the node's consent, or None: one that refuses or is silent is asked again in the next round."""
        answer = await call_node(self._engine, node, request)
        if isinstance(answer, NodeConsent):
            self._refused.pop(node)
            return answer
        if self._refused.get(node) != answer.why:
            self._refused.add(node, answer.why)
            _log.warning("a node refused", node=node, why=answer.why)
        return None
