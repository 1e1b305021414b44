"""Requests to the leading balancer (PROTOCOL.md P-9): balance now, drain by a deadline, and list the owners of keys."""

import asyncio
import math
from collections.abc import Callable, Mapping, Sequence

import msgspec

from ringway.balancer.group_balance import GroupBalance
from ringway.balancer.nodes import ANSWER_S
from ringway.core.balance.drain import even_pace
from ringway.core.group import Groups, why_no_group
from ringway.core.membership import LEASE_S, TICK_S
from ringway.member.state_call import call_state
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
from ringway.protocol.owners import OwnersAnswer, OwnersRequest
from ringway.types import NodeName


class OperatorApi:
    """The operator API of a balancer while it leads, over the balance of each group in `balances`.

    `leads` is asked at each request: a process that was stopped has not noticed yet that its leadership is over.
    """

    def __init__(
        self,
        groups: Groups,
        balances: Mapping[str, GroupBalance],
        engine: Engine,
        clock: Callable[[], float],
        leads: Callable[[], bool],
    ) -> None:
        self._groups = groups
        self._balances = balances
        self._engine = engine
        self._clock = clock
        self._leads = leads

    async def answer(self, raw: bytes) -> bytes | None:
        """Answer one request (`ports.Handler`); None if this process was stopped, and does not lead any more."""
        if not self._leads():
            return None
        request = decode_balancer_request(raw)
        if isinstance(request, DrainRequest):
            return encode(await self._drain(request))
        if isinstance(request, OwnersRequest):
            return encode(self._owners(request))
        return encode(await self._rebalance(request))

    def _owners(self, request: OwnersRequest) -> OwnersAnswer:
        """Return the owners of a version, in any group."""
        answers = (balance.keys.answer(request) for balance in self._balances.values())
        return next((answer for answer in answers if answer.version), OwnersAnswer())

    async def _rebalance(self, request: Rebalance) -> PlanAnswer:
        if not self._balances:
            return _nothing("there are no nodes, so there is nothing to balance")
        asked = [balance for name, balance in sorted(self._balances.items()) if request.group in ("", name)]
        if not asked and self._groups.is_routed(request.group):
            return _nothing(f"the group {request.group!r} has no backends, so there is nothing to balance")
        if not asked:
            why = why_no_group(request.group, sorted(self._balances))
            return msgspec.structs.replace(_nothing(why), why=why)
        if not request.dry_run:
            self._begin_moving(request.group)
        answers = await asyncio.gather(*(self._plan_of(balance, begin=not request.dry_run) for balance in asked))
        return answers[0] if len(answers) == 1 else _united(asked, answers)

    def _begin_moving(self, group: str) -> None:
        """Allow moves of `group` (empty: of all) again, if a policy was set without moves."""
        directive = self._groups.directive
        moved = directive.with_moves(group)
        if moved is not directive:
            self._groups.follow(moved)
            for balance in self._balances.values():
                balance.follow()

    async def _plan_of(self, balance: GroupBalance, *, begin: bool) -> PlanAnswer:
        plan = await balance.plan_exactly(begin=begin)
        needs_s = balance.term.needs_s(plan)
        rows = tuple(QuotaRow(donor=quota.donor, target=quota.target, count=quota.count) for quota in plan.quotas)
        nodes = balance.view.nodes
        return PlanAnswer(
            quotas=rows,
            reason=plan.reason,
            imbalance=plan.imbalance,
            moves_per_s=balance.term.moves_per_s(),
            needs_s=needs_s if math.isfinite(needs_s) else 0.0,
            fair=dict(plan.fair),
            load={name: node.load for name, node in nodes.items()},
            groups=dict.fromkeys(nodes, balance.group.name),
            reconnect_window_s=round(balance.term.reconnect_window_s(), 1),
            frozen=balance.frozen,
        )

    async def _balance_of(self, node: NodeName) -> GroupBalance | None:
        """Return the balance of the group of `node`. The caller has heard the node: if it is missing here, its reports
        are late, and it is waited for."""
        deadline = self._clock() + LEASE_S
        while True:
            group = self._groups.at(node)
            balance = self._balances.get(group.name) if group is not None else None
            if balance is not None or self._clock() >= deadline:
                return balance
            await asyncio.sleep(TICK_S)

    async def _drain(self, request: DrainRequest) -> DrainAnswer:
        """Check the deadline, and let the node drain if the deadline can be met, or the drain is forced."""
        balance = await self._balance_of(request.node)
        if balance is None:
            known = ", ".join(sorted(self._groups.nodes)) or "none"
            return _refused(f"there is no node {request.node!r}; there are {known}")
        term, now = balance.term, self._clock()
        judged = term.judge_drain(request.node, request.within_s, now, request.avoid)
        if judged.why and len(self._balances) > 1:
            judged = msgspec.structs.replace(judged, why=f"{judged.why} (in its group, {balance.group.name})")
        if balance.frozen and request.within_s and judged.connections:
            judged = msgspec.structs.replace(judged, why=f"moves are frozen: {balance.frozen}")
        if judged.why and not request.force:
            return judged
        if request.force and request.within_s and judged.why:
            term.force(request.node, request.within_s, now)
            rate, needs_s = even_pace(judged.connections, request.within_s, term.moves_per_s_min)
            judged = msgspec.structs.replace(judged, moves_per_s=rate, needs_s=needs_s)
        state = SetState(draining=True, within_s=request.within_s, avoid=request.avoid)
        node = balance.view.nodes[request.node].report
        assert node is not None
        answer = await call_state(self._engine.bus, node, state, ANSWER_S)
        if isinstance(answer, NodeRefusal):
            return _refused(f"{request.node} refused: {answer.why}")
        return msgspec.structs.replace(judged, why="")


def _united(balances: Sequence[GroupBalance], answers: Sequence[PlanAnswer]) -> PlanAnswer:
    """Return the plans of several groups as one answer: they are carried out side by side."""
    names = [balance.group.name for balance in balances]
    moved = [(name, answer) for name, answer in zip(names, answers, strict=True) if answer.quotas]
    open_ended = any(not answer.needs_s for _, answer in moved)
    frozen = next((answer.frozen for answer in answers if answer.frozen), "")
    return PlanAnswer(
        quotas=tuple(row for answer in answers for row in answer.quotas),
        reason="; ".join(f"{name}: {answer.reason}" for name, answer in zip(names, answers, strict=True)),
        imbalance=max(answer.imbalance for answer in answers),
        moves_per_s=sum(answer.moves_per_s for answer in answers),
        needs_s=0.0 if open_ended else max((answer.needs_s for _, answer in moved), default=0.0),
        fair={name: share for answer in answers for name, share in answer.fair.items()},
        load={name: load for answer in answers for name, load in answer.load.items()},
        groups={name: group for answer in answers for name, group in answer.groups.items()},
        reconnect_window_s=max(answer.reconnect_window_s for answer in answers),
        frozen=frozen,
    )


def _nothing(reason: str) -> PlanAnswer:
    return PlanAnswer(quotas=(), reason=reason, imbalance=0.0, moves_per_s=0.0, fair={}, load={})


def _refused(why: str) -> DrainAnswer:
    return DrainAnswer(why=why, connections=0, moves_per_s=0.0, needs_s=0.0)
