"""Settings that all tests share. Hypothesis draws the same examples each time: a red build means a fault, not luck."""

import signal

import pytest
from hypothesis import HealthCheck, settings

# A job in the background of a shell, or under nohup, ignores Ctrl-C; so would every process that a test starts.
signal.signal(signal.SIGINT, signal.default_int_handler)

pytest.register_assert_rewrite("ringway.testing")  # so that a failed contract shows its values

settings.register_profile(
    "steady",
    derandomize=True,
    deadline=None,  # two busy cores: a bound on seconds would measure the neighbours
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow],
    print_blob=True,
)
settings.register_profile("search", parent=settings.get_profile("steady"), derandomize=False, max_examples=2000)
settings.load_profile("steady")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--rewrite", action="store_true", help="write the transcripts of tests/scenario anew")
