"""The facts about a relay by which it is chosen to be moved."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from ringway.core.move_candidates import PINNED, is_cooling
from ringway.gateway.config.gateway import GatewayConfig
from ringway.gateway.proxy.relay import Relay
from ringway.gateway.stats import GatewayStats
from ringway.protocol.backend import OnMove
from ringway.protocol.closing import ClosingState


def relay(on_move: OnMove) -> Relay:
    made = Relay(on_move, None, GatewayConfig(), GatewayStats(), cast(Any, None), key=b"k", extensions=False)
    made.client, made.node = (cast(Any, SimpleNamespace(state=ClosingState.OPEN)) for _ in range(2))
    return made


@pytest.mark.parametrize(
    ("on_move", "leaves", "cost"),
    [(OnMove.CLOSE, True, 1), (OnMove.REOPEN, True, 0), (OnMove.NEVER, False, 1), (OnMove.FOLLOW, False, 1)],
)
def test_a_relay_leaves_if_its_backend_allows_moves_and_unseen_moves_come_first(
    on_move: OnMove, leaves: bool, cost: int
) -> None:
    made = relay(on_move)
    assert (made.key, made.may_leave, made.setup_cost) == (b"k", leaves, cost)
    assert made.is_usable
    assert made.is_connected


def test_a_relay_that_is_never_moved_is_pinned_also_in_a_drain() -> None:
    assert relay(OnMove.NEVER).moved_at == PINNED
    assert is_cooling(relay(OnMove.NEVER).moved_at, now=1e9, cool_down_s=0.0)
    assert relay(OnMove.CLOSE).moved_at is None


def test_a_relay_that_is_moved_does_not_leave_a_second_time() -> None:
    made = relay(OnMove.REOPEN)
    made.migration = cast(Any, object())
    assert made.is_moving
    assert not made.may_leave
    assert made.is_usable


@pytest.mark.parametrize("end", ["client", "node"])
def test_a_relay_of_which_an_end_closes_is_not_usable(end: str) -> None:
    made = relay(OnMove.REOPEN)
    getattr(made, end).state = ClosingState.GONE
    assert not made.is_usable
    assert not made.may_leave
