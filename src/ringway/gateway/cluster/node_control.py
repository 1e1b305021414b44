"""Control of nodes by operators with access only to a gateway's admin port: drain, undrain, balance.

Commands do the same over the engine; a gateway that is alone has no engine that a command could reach.
"""

from collections.abc import Awaitable
from typing import TypeVar

from ringway.errors import ConfigError, EngineError
from ringway.member.feed import Feed
from ringway.member.leader_call import ANSWER_S, call_drain, call_plan
from ringway.member.state_call import call_state
from ringway.ports import Bus
from ringway.protocol.order import (
    DrainAnswer,
    DrainRequest,
    NodeRefusal,
    PlanAnswer,
    SetState,
)
from ringway.protocol.report import Report, count_present

T = TypeVar("T")


class NodeControl:
    """Requests of one gateway about nodes, over the bus. A refusal is a `ConfigError` with its reason."""

    def __init__(self, feed: Feed, bus: Bus) -> None:
        self._feed = feed
        self._bus = bus

    async def drain(self, name: str, within_s: float, *, force: bool) -> DrainAnswer:
        """Drain the node `name`, within `within_s` seconds if that is above 0.

        A deadline that cannot be met is refused with a possible deadline, unless `force`.
        """
        node = self._node(name)
        if not within_s:
            await self._set_state(node, SetState(draining=True))
            return DrainAnswer(why="", connections=count_present(node), moves_per_s=0.0, needs_s=0.0)
        request = DrainRequest(node=node.name, within_s=within_s, force=force)
        answer = await self._ask_leader(call_drain(self._bus, request))
        if answer.why:
            raise ConfigError(answer.why)
        return answer

    async def undrain(self, name: str) -> None:
        """Let the node `name` get newcomers again."""
        await self._set_state(self._node(name), SetState(draining=False))

    async def rebalance(self, *, dry_run: bool, group: str = "") -> PlanAnswer:
        """Balance `group` (empty: all groups) now, also inside the dead band; with `dry_run` only return the plan."""
        answer = await self._ask_leader(call_plan(self._bus, dry_run=dry_run, group=group))
        if answer.why:
            raise ConfigError(answer.why)
        return answer

    def _node(self, name: str) -> Report:
        node = self._feed.node(name)
        if node is None:
            known = ", ".join(sorted(each for each in self._feed.live if self._feed.node(each))) or "none"
            raise ConfigError(f"there is no node {name!r}; there are {known}")
        return node

    async def _set_state(self, node: Report, request: SetState) -> None:
        answer = await call_state(self._bus, node, request, ANSWER_S)
        if isinstance(answer, NodeRefusal):
            raise ConfigError(f"{node.name} refused: {answer.why}")

    async def _ask_leader(self, call: Awaitable[T]) -> T:
        try:
            return await call
        except EngineError as error:
            raise ConfigError(str(error)) from None
