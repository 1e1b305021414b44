import pytest

from ringway.member.limits import Limits
from ringway.member.utilisation import Utilisation

HEALTHY = {"cpu": 0.7, "loop_lag_s": 0.05, "memory_bytes": 800, "files": 500, "sent_bytes": 100}


def sampled(limits: Limits, seconds: int = 1, **values: float) -> dict[str, float]:
    utilisation = Utilisation(limits, 10.0)
    for second in range(1, seconds + 1):
        now = {**HEALTHY, **values}
        sent_bytes = now.pop("sent_bytes") * second
        utilisation.sample(10.0 + second, sent_bytes=sent_bytes, **now)  # type: ignore[arg-type]
    return utilisation.shares


def test_one_is_as_much_as_is_healthy() -> None:
    shares = sampled(Limits(memory_bytes=1000, files=500, egress_bytes_per_s=100.0))
    assert shares == pytest.approx({"cpu": 1, "loop_lag": 1, "memory": 1, "files": 1, "egress": 1})


def test_what_has_no_known_limit_is_left_out() -> None:
    assert set(sampled(Limits(memory_bytes=0, files=500, egress_bytes_per_s=0.0))) == {"cpu", "loop_lag", "files"}


def test_egress_is_counted_by_the_second() -> None:
    utilisation = Utilisation(Limits(memory_bytes=1, files=1, egress_bytes_per_s=100.0), 10.0)
    utilisation.sample(14.0, cpu=0, loop_lag_s=0, memory_bytes=0, files=0, sent_bytes=200)
    assert utilisation.shares["egress"] == pytest.approx(0.5)


def test_one_bad_second_is_not_a_full_node() -> None:
    utilisation = Utilisation(Limits(memory_bytes=1000, files=500, egress_bytes_per_s=100.0), 10.0)
    for second, lag in enumerate([0.0, 0.0, 0.1, 0.0, 0.0], start=11):
        utilisation.sample(second, cpu=0, loop_lag_s=lag, memory_bytes=0, files=0, sent_bytes=0)
        assert utilisation.shares["loop_lag"] < 1
    for second in range(16, 26):
        utilisation.sample(second, cpu=0, loop_lag_s=0.1, memory_bytes=0, files=0, sent_bytes=0)
    assert utilisation.shares["loop_lag"] == pytest.approx(2.0, rel=0.1), "one that lasts is"


def test_a_clock_that_stands_still_is_no_fault() -> None:
    utilisation = Utilisation(Limits(1, 1, 1.0), 10.0)
    utilisation.sample(10.0, cpu=1, loop_lag_s=1, memory_bytes=1, files=1, sent_bytes=1)
    assert utilisation.shares == {}
