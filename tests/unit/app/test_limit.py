"""Messages of a process about its limit of open files."""

import resource

import pytest

from ringway.app.limit import allow_many_files
from ringway.core.files import plan_files
from support.log_capture import capture_logs


@pytest.mark.parametrize(("limit", "told"), [(256, True), (20_000, False)], ids=["few", "enough"])
def test_a_limit_that_allows_little_is_told_with_what_it_allows(
    monkeypatch: pytest.MonkeyPatch, limit: int, told: bool
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda which: (limit, limit))
    with capture_logs() as logs:
        allow_many_files()
    assert bool(logs) is told
    if told:
        stay = plan_files(limit).stay
        (entry,) = logs
        assert (entry["log_level"], entry["limit"]) == ("warning", 256)
        assert (entry["connections"], entry["proxied_websockets"]) == (stay, stay // 2) == (160, 80)
        assert "ulimit -n" in entry["event"]
