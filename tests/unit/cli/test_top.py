from ringway.admin.member import describe
from ringway.cli.top import Meter, Rates
from unit.admin.test_member import node


def cluster(accepted: int, incarnation: str = "0" * 8):
    return describe([node("a", accepted=accepted, moved={"b": accepted // 2}, incarnation=incarnation)])


def test_rates_are_the_growth_of_counters_over_about_a_second():
    meter = Meter()
    assert meter.take(cluster(100), 0.0) == {"a": Rates()}
    assert meter.take(cluster(110), 0.5) == {"a": Rates()}
    assert meter.take(cluster(140), 2.0) == {"a": Rates(accepted_per_s=20.0, moves_per_s=10.0)}
    assert meter.take(cluster(150), 2.5) == {"a": Rates(accepted_per_s=20.0, moves_per_s=10.0)}


def test_a_new_life_of_a_node_begins_anew():
    meter = Meter()
    meter.take(cluster(100), 0.0)
    meter.take(cluster(200), 1.0)
    assert meter.take(cluster(1, "1" * 8), 2.0) == {"a": Rates()}
    assert meter.take(describe([]), 3.0) == {}
