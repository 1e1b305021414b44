"""The time since the last change of members."""

from ringway.core.balance.stabilisation import Stabilisation
from sample import GATEWAY, node_report, view_of


def test_it_counts_from_the_last_change_of_who_is_there_and_how() -> None:
    view = view_of({"n1": 1.0, "n2": 1.0})
    settle = Stabilisation()
    settle.observe(view, 10.0)
    settle.observe(view, 15.0)
    assert (settle.waited_s(15.0), settle.changes) == (5.0, 1)
    for now, report in [
        (20.0, node_report("n3")),
        (30.0, node_report("n3", 2, draining=True)),
        (40.0, node_report("n2", 2, weight=2.0)),
        (50.0, node_report("n1", 1, life=2)),
    ]:
        view.reported(report, now)
        settle.observe(view, now)
        assert settle.waited_s(now) == 0.0
    view.forgotten(node_report("n3"))
    settle.observe(view, 60.0)
    assert settle.changes == 6


def test_what_has_changed_is_told_in_words() -> None:
    view = view_of({"n1": 1.0, "n2": 1.0, "n3": 1.0})
    settle = Stabilisation()
    settle.observe(view, 0.0)
    for name in ("n2", "n3"):
        view.forgotten(node_report(name))
    settle.observe(view, 1.0)
    view.reported(node_report("n1", 2, draining=True), 2.0)
    view.reported(node_report("n4"), 2.0)
    settle.observe(view, 2.0)
    assert settle.changes_since(1) == "n2 and n3 left, n1 changed to draining, n4 joined"
    assert settle.changes_since(2) == "n1 changed to draining, n4 joined"
    view.reported(node_report("n1", 1, life=2), 3.0)
    view.reported(node_report("n4", 2, weight=2.0), 3.0)
    settle.observe(view, 3.0)
    assert settle.changes_since(3) == "n1 restarted, n4 changed weight"
    for number in range(10, 20):
        view.reported(node_report(f"n{number}"), 4.0)
    settle.observe(view, 4.0)
    assert settle.changes_since(4) == "10 nodes joined"


def test_load_and_trims_are_no_change() -> None:
    view = view_of({"n1": 1.0, "n2": 1.0})
    settle = Stabilisation()
    settle.observe(view, 0.0)
    view.reported(node_report("n1", 2, connections=500), 5.0)
    view.set_trims({node.name: 0.8 for node in view.nodes.values()})
    settle.observe(view, 9.0)
    assert settle.waited_s(9.0) == 9.0
    assert view.issuer == GATEWAY
