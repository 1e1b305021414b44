"""Refreshes by hooks: when a connection or a subscription has come to its end, a backend says whether it goes on.

The node that holds the connection asks. What it has is its end alone, which travels with a session: after a move the
next node goes on asking, and no move gives more time. A hook that fails is asked again after a pause, until
`refresh_grace_s` beyond the end; a failure by itself ends nothing.

Overflow rule: above `REFRESHES_MAX` under way, further ones wait as after a failure.
"""

from collections.abc import Callable
from math import inf
from random import Random
from typing import NamedTuple, TypeVar

import msgspec

from ringway.core.credentials import credentials_problem
from ringway.core.subscription_rights import SubscriptionRights, rights_problem
from ringway.hooks.hook import Hook, HookFailed
from ringway.hooks.hooks import Hooks
from ringway.hooks.stats import HookOutcome
from ringway.logger import get_logger
from ringway.node.commands.hook_requests import answer_of, meta_for
from ringway.node.config.namespace import Namespaces
from ringway.node.config.node import NodeConfig
from ringway.node.connection.connection import Connection
from ringway.protocol.hook import (
    REFRESH,
    SPEECH,
    SUB_REFRESH,
    HookAnswer,
    RefreshHookRequest,
    RefreshHookResult,
    SubRefreshHookRequest,
    SubRefreshHookResult,
)
from ringway.tasks import Tasks
from ringway.types import Channel

REFRESHES_MAX = 4096

PAUSE_S = (0.5, 1.5)
"""The bounds of the random pause before further refreshes are begun when there were too many."""

_log = get_logger()


class RefreshEnd(NamedTuple):
    """The end of a connection or a subscription by a hook; `code` 0: its time is over."""

    code: int = 0
    reason: str = ""


OnOutcome = Callable[[Connection, Channel | None, RefreshEnd | None], None]
"""Called when a request has ended: with the end if there is one, or None if it goes on, or is asked about again."""


class HookRefreshes:
    """The requests under way, and when those that failed are made again. `wall` is Unix time, in seconds.

    A channel stands for the subscription to it, None for the connection itself.
    """

    def __init__(
        self, config: NodeConfig, hooks: Hooks, namespaces: Namespaces, wall: Callable[[], float], rng: Random
    ) -> None:
        self._config = config
        self._hooks = hooks
        self._namespaces = namespaces
        self._wall = wall
        self._rng = rng
        self._connection_hook = hooks.named(config.refresh_hook)
        self._again_at: dict[Connection, dict[Channel | None, float]] = {}  # of those that were begun; inf: under way
        self._tasks = Tasks()

    def __len__(self) -> int:
        """Return the number of requests under way."""
        return len(self._tasks)

    def hook_of(self, channel: Channel | None) -> Hook | None:
        """Return the hook that is asked; None if clients send new tokens themselves."""
        if channel is None:
            return self._connection_hook
        return self._hooks.named(self._namespaces.of(channel).sub_refresh_hook)

    def due_at(self, connection: Connection, channel: Channel | None, expires_at: float) -> float:
        """Return when something is to be done about the end `expires_at`: the next request, or the end itself."""
        again_at = self._again_at.get(connection, {}).get(channel, expires_at)
        return min(max(again_at, expires_at), self.ends_at(expires_at))

    def ends_at(self, expires_at: float) -> float:
        """Return when what has the end `expires_at` ends, whatever the hook does."""
        return expires_at + self._config.refresh_grace_s

    def begin(self, connection: Connection, channel: Channel | None, hook: Hook, on_outcome: OnOutcome) -> None:
        """Ask `hook`, unless a request is under way, or is to be made later."""
        now = self._wall()
        again_at = self._again_at.setdefault(connection, {})
        if again_at.get(channel, 0.0) > now:
            return
        if len(self._tasks) >= REFRESHES_MAX:
            again_at[channel] = now + self._rng.uniform(*PAUSE_S)
            return
        again_at[channel] = inf
        self._tasks.spawn(self._run(connection, channel, hook, on_outcome), name="refresh by a hook")

    def forget(self, connection: Connection) -> None:
        """Forget a connection that is over."""
        self._again_at.pop(connection, None)

    async def aclose(self) -> None:
        """Cancel the requests under way."""
        await self._tasks.aclose()

    async def _run(self, connection: Connection, channel: Channel | None, hook: Hook, on_outcome: OnOutcome) -> None:
        pause_s, end = 0.0, None
        try:
            if channel is None:
                end = await self._refresh(connection, hook)
            else:
                end = await self._sub_refresh(connection, channel, hook)
        except HookFailed:
            pause_s = self._config.refresh_retry_s * self._rng.uniform(*PAUSE_S)
        again_at = self._again_at.get(connection)
        if again_at is None or not connection.is_usable:
            return  # it is over, or goes on at a different node
        if pause_s:
            again_at[channel] = self._wall() + pause_s
        else:
            del again_at[channel]
        on_outcome(connection, channel, end)

    async def _refresh(self, connection: Connection, hook: Hook) -> RefreshEnd | None:
        """Ask about the connection, and give it its new end. Raise `HookFailed` if the hook does not say."""
        credentials = connection.credentials
        request = RefreshHookRequest(
            client=connection.client, **SPEECH, user=credentials.user, meta=meta_for(hook, credentials)
        )
        answer = await answer_of(connection, hook, REFRESH, request, lambda: connection.is_usable)
        result = _result_or_end(answer)
        if isinstance(result, RefreshEnd):
            return result
        if not self._wall() < result.expires_at < inf:
            return RefreshEnd()
        fresh = msgspec.structs.replace(
            credentials,
            expires_at=result.expires_at,
            info=result.shown_info or credentials.info,
            meta=result.hidden_meta or credentials.meta,
        )
        _check(credentials_problem(fresh))
        if connection.is_usable:
            connection.credentials = fresh
        return None

    async def _sub_refresh(self, connection: Connection, channel: Channel, hook: Hook) -> RefreshEnd | None:
        """As `_refresh`, of a subscription; a new one to the same channel, made meanwhile, is left alone."""
        rights = connection.rights.get(channel, _NO_RIGHTS)
        request = SubRefreshHookRequest(
            client=connection.client,
            **SPEECH,
            user=connection.credentials.user,
            channel=channel,
            meta=meta_for(hook, connection.credentials),
        )
        answer = await answer_of(connection, hook, SUB_REFRESH, request, lambda: connection.is_usable)
        if connection.rights.get(channel) is not rights or channel not in connection.channels:
            return None
        result = _result_or_end(answer)
        if isinstance(result, RefreshEnd):
            return result
        if result.expires_at <= self._wall():
            return RefreshEnd()
        fresh = msgspec.structs.replace(rights, expires_at=result.expires_at, info=result.shown_info or rights.info)
        _check(rights_problem(fresh))
        connection.set_rights(channel, fresh)
        return None


_NO_RIGHTS = SubscriptionRights()

Refreshed = TypeVar("Refreshed", RefreshHookResult, SubRefreshHookResult)


def _result_or_end(answer: HookAnswer[Refreshed]) -> Refreshed | RefreshEnd:
    """Return what the hook says; raise `HookFailed` if it says that it does not know now."""
    if answer.disconnect is not None:
        return RefreshEnd(answer.disconnect.code, answer.disconnect.reason)
    if answer.error is not None and answer.error.temporary:
        raise HookFailed(HookOutcome.ERROR, answer.error.message)
    if answer.error is not None or answer.result is None or answer.result.expired:
        return RefreshEnd()
    return answer.result


def _check(problem: str) -> None:
    if problem:
        _log.warning("the answer of a hook cannot be used", why=problem)
        raise HookFailed(HookOutcome.UNREADABLE, problem)
