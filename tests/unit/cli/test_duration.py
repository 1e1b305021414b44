"""Durations as people write them."""

import pytest

from ringway.cli.duration import read_drain_within, read_duration
from ringway.errors import ConfigError
from ringway.protocol.order import DRAIN_WITHIN_S_MAX


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("60s", 60), ("5m", 300), ("1h30m", 5400), ("1.5m", 90), (" 10s ", 10)]
)
def test_a_duration_is_read(text: str, seconds: float) -> None:
    assert read_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "0", "0s", "-5s", "5x", "m", "5s5m", "soon"])
def test_what_is_none_is_refused_with_what_would_be(text: str) -> None:
    with pytest.raises(ConfigError, match="such as 60s, 5m or 1h30m"):
        read_duration(text)


def test_a_drain_takes_a_week_at_most_as_everywhere() -> None:
    assert (read_drain_within(None), read_drain_within("90s")) == (0.0, 90.0)
    assert read_drain_within("168h") == DRAIN_WITHIN_S_MAX
    with pytest.raises(ConfigError, match="'169h' is too long for a drain; give at most 168h"):
        read_drain_within("169h")
