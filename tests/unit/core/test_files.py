"""The purposes of the descriptors of a process."""

import pytest

from ringway.core.files import UNLIMITED, plan_files


@pytest.mark.parametrize("limit", [64, 256, 300, 1024, 20_000, 1_048_576])
def test_there_is_always_room_for_newcomers(limit: int) -> None:
    budget = plan_files(limit)
    assert budget.own + budget.new + budget.stay <= limit
    assert budget.stay >= limit // 2
    full = budget.pending_max(budget.stay, 4096)
    assert full == budget.new >= 8
    assert budget.own + budget.stay + full <= limit


def test_sockets_that_owe_a_request_use_what_is_free() -> None:
    budget = plan_files(20_000)
    assert budget.pending_max(0, 4096) == 4096
    assert budget.pending_max(budget.stay - 1000, 4096) == 1000 + budget.new
    assert plan_files(300).pending_max(0, 4096) == 225
    assert budget.pending_max(0, 3) == 3, "never more than the setting"
    assert budget.pending_max(budget.stay, 3) == 3


@pytest.mark.parametrize("limit", [-1, 0, 1 << 62])
def test_no_limit(limit: int) -> None:
    assert plan_files(limit).files == UNLIMITED
    assert plan_files(limit).stay > UNLIMITED // 2
