"""Operator API of the leading balancer (PROTOCOL.md P-9.3): balance now, and drain a node by a deadline."""

from collections.abc import Awaitable, Callable

import msgspec

from ringway.balancer.nodes import call_node
from ringway.core.balance.drain import even_pace
from ringway.core.balance.leader_round import LeaderRound
from ringway.core.balance.plan import Plan
from ringway.core.load import LoadView
from ringway.ports import Engine
from ringway.protocol.order import (
    DrainAnswer,
    DrainRequest,
    NodeRefusal,
    PlanAnswer,
    QuotaRow,
    Rebalance,
    SetState,
    decode_balancer_request,
    encode,
)


class OperatorApi:
    """The operator API of one leadership. `plan_exactly` returns the plan of an exact balance, and may begin it."""

    def __init__(
        self,
        term: LeaderRound,
        view: LoadView,
        engine: Engine,
        clock: Callable[[], float],
        plan_exactly: Callable[[bool], Awaitable[Plan]],
        frozen: Callable[[], str],
    ) -> None:
        self._term = term
        self._view = view
        self._engine = engine
        self._clock = clock
        self._plan_exactly = plan_exactly
        self._frozen = frozen

    async def answer(self, raw: bytes) -> bytes:
        """Answer one request (`ports.Handler`)."""
        request = decode_balancer_request(raw)
        if isinstance(request, DrainRequest):
            return encode(await self._drain(request))
        return encode(await self._rebalance(request))

    async def _rebalance(self, request: Rebalance) -> PlanAnswer:
        plan = await self._plan_exactly(not request.dry_run)
        rows = tuple(QuotaRow(donor=quota.donor, target=quota.target, count=quota.count) for quota in plan.quotas)
        return PlanAnswer(
            quotas=rows,
            reason=plan.reason,
            imbalance=plan.imbalance,
            moves_per_s=self._term.moves_per_s(),
            fair=dict(plan.fair),
            load={name: node.load for name, node in self._view.nodes.items()},
            reconnect_window_s=round(self._term.reconnect_window_s(), 1),
            frozen=self._frozen(),
        )

    async def _drain(self, request: DrainRequest) -> DrainAnswer:
        """Judge the deadline, and tell the node to drain if it can be met, or must be tried."""
        if request.node not in self._view.nodes:
            known = ", ".join(sorted(self._view.nodes)) or "none"
            return _refused(f"there is no node {request.node!r}; there are {known}")
        judged = self._term.judge_drain(request.node, request.within_s, self._clock(), request.avoid)
        frozen = self._frozen()
        if frozen and request.within_s and judged.connections:
            judged = msgspec.structs.replace(judged, why=f"moves are frozen: {frozen}")
        if judged.why and not request.force:
            return judged
        if request.force and request.within_s and judged.why:
            self._term.force(request.node, request.within_s, self._clock())
            rate, needs_s = even_pace(judged.connections, request.within_s, self._term.moves_per_s_min)
            judged = msgspec.structs.replace(judged, moves_per_s=rate, needs_s=needs_s)
        state = SetState(draining=True, within_s=request.within_s, avoid=request.avoid)
        answer = await call_node(self._engine, request.node, state)
        if isinstance(answer, NodeRefusal):
            return _refused(f"{request.node} refused: {answer.why}")
        return msgspec.structs.replace(judged, why="")


def _refused(why: str) -> DrainAnswer:
    return DrainAnswer(why=why, connections=0, moves_per_s=0.0, needs_s=0.0)
