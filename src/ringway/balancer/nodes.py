"""Orders of the balancer to nodes: one request, one answer, within a deadline.

An order to a backend is divided among the gateways that hold its connections.
"""

import asyncio

import msgspec

from ringway.core.held_nodes import HeldNodes, split_moves
from ringway.core.recent import Recent
from ringway.errors import EngineError, ProtocolError
from ringway.logger import get_logger
from ringway.ports import Engine
from ringway.protocol.order import (
    MoveOrder,
    NodeAnswer,
    NodeConsent,
    NodeRefusal,
    decode_node_answer,
    encode,
    held_address,
    node_address,
)
from ringway.protocol.report import Report
from ringway.types import NodeName

ANSWER_S = 2.0

_log = get_logger()


async def _call(engine: Engine, address: str, order: MoveOrder) -> NodeAnswer:
    """Return the answer from `address`; silence counts as a refusal."""
    try:
        raw = await engine.bus.call(address, encode(order), timeout_s=ANSWER_S)
        answer: NodeAnswer = decode_node_answer(raw)
    except (EngineError, ProtocolError) as error:
        return NodeRefusal(why=f"it did not answer: {error}")
    return answer


class Nodes:
    """Requests of a leader to nodes, round by round. A refusal is logged once, until the node consents again."""

    def __init__(self, engine: Engine, held: HeldNodes) -> None:
        self._engine = engine
        self._held = held
        self._refused: Recent[NodeName, str] = Recent()

    async def order(self, donor: Report, order: MoveOrder) -> int:
        """Return how many moves of `order` were accepted: all or none by a node, parts by the holders of a backend.

        A node that refuses or is silent is asked again in the next round.
        """
        if not donor.is_backend:
            return order.count if await self._ask(donor.name, node_address(donor.name), order) else 0
        shares = self._held.shares(donor.name)
        counts = {
            gateway: share.misplaced.get(order.target, 0) if order.owners else share.connections - share.cooling
            for gateway, share in shares.items()
        }
        parts = split_moves(order.count, counts)
        accepted = await asyncio.gather(
            *(
                self._ask(donor.name, held_address(gateway, donor.name), msgspec.structs.replace(order, count=part))
                for gateway, part in parts.items()
            )
        )
        return sum(part for part, consent in zip(parts.values(), accepted, strict=True) if consent)

    async def _ask(self, node: NodeName, address: str, order: MoveOrder) -> bool:
        answer = await _call(self._engine, address, order)
        if isinstance(answer, NodeConsent):
            self._refused.pop(node)
            return True
        if self._refused.get(node) != answer.why:
            self._refused.add(node, answer.why)
            _log.warning("a node refused", node=node, why=answer.why)
        return False
