"""The call that drains a node, or ends its drain: the node serves it, or every gateway that holds a backend."""

from ringway.errors import EngineError, ProtocolError
from ringway.ports import Calls
from ringway.protocol.order import (
    NodeAnswer,
    NodeConsent,
    NodeRefusal,
    SetState,
    decode_node_answer,
    encode,
    node_address,
)
from ringway.protocol.report import Report


async def call_state(bus: Calls, node: Report, request: SetState, timeout_s: float) -> NodeAnswer:
    """Return the answer of `node`; silence counts as a refusal.

    One gateway that holds a backend is enough: the other gateways follow its next report, also a gateway that refused.
    """
    address = node_address(node.name)
    try:
        if not node.is_backend:
            answer: NodeAnswer = decode_node_answer(await bus.call(address, encode(request), timeout_s=timeout_s))
            return answer
        expected = max(1, len(node.holders))
        raw = await bus.gather(address, encode(request), timeout_s=timeout_s, expected=expected)
        answers = [decode_node_answer(each) for each in raw]
    except (EngineError, ProtocolError) as error:
        return NodeRefusal(why=f"it did not answer: {error}")
    if any(isinstance(answer, NodeConsent) for answer in answers):
        return NodeConsent()
    return answers[0] if answers else NodeRefusal(why=f"no gateway that holds it answers within {timeout_s:g} s")
