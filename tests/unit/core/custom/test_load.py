from ringway.core.custom.agent import parse_line
from ringway.core.custom.load import CustomLoad
from ringway.core.custom.score import ExternalMetric
from ringway.core.custom.trim import PERIOD_S
from ringway.types import NodeName
from sample import node_report, view_of

A, B, C = (NodeName(name) for name in "abc")
CPU = ExternalMetric(name="cpu", threshold=0.8, low=0.6, high=0.9, tau_s=0.0, expire_s=30)
AGENT = ExternalMetric(name="agent", expire_s=30)


def even(**loads: int):
    return view_of(dict.fromkeys(loads, 1.0), loads=loads)


def test_a_gated_node_is_barred_with_the_reason_and_opened_again():
    view, custom = even(a=5, b=5, c=5), CustomLoad([CPU])
    custom.read(A, "cpu", 0.95, 5, 0)
    custom.read(B, "cpu", 0.2, 5, 0)
    custom.tick(view, 0)
    assert view.nodes[A].barred == "cpu is 0.95, above 0.9"
    assert [node.ready for node in view.eligible] == [False, True, True]
    custom.read(A, "cpu", 0.5, 5, 5)
    custom.tick(view, 5)
    assert view.nodes[A].ready


def test_a_collector_that_fails_makes_its_node_ordinary():
    view, custom = even(a=5, b=5, c=5), CustomLoad([CPU])
    custom.read(A, "cpu", 0.95, 5, 0)
    for second in range(0, 60, 5):
        custom.read(B, "cpu", 0.2, 5, second)
        custom.read(C, "cpu", 0.4, 5, second)
        custom.tick(view, second)
        assert view.nodes[A].ready == (second > 30)
    assert custom.standings[A].values["cpu"].value == 0.30000000000000004
    assert not custom.standings[A].values["cpu"].measured


def test_weights_are_trimmed_every_ten_seconds_and_not_between():
    view, custom = even(a=100, b=100), CustomLoad([CPU])
    seen = []
    for second in range(31):
        custom.read(A, "cpu", 0.7, 100, second)
        custom.read(B, "cpu", 0.3, 100, second)
        custom.tick(view, second)
        seen.append(view.nodes[A].weight)
    changes = [second for second in range(1, 31) if seen[second] != seen[second - 1]]
    assert changes == [PERIOD_S, 2 * PERIOD_S, 3 * PERIOD_S]
    assert seen[-1] < seen[0] == 1.0
    assert view.nodes[A].weight + view.nodes[B].weight == 2
    assert view.nodes[A].weight_own == 1.0  # keys are placed by this one
    assert custom.trims[A] == view.nodes[A].trim == view.nodes[A].weight


def test_an_agents_share_is_a_trim_and_its_states_are_gates():
    view, custom = even(a=5, b=5, c=5), CustomLoad([AGENT])
    custom.told(A, "agent", parse_line("50%"), 0)
    custom.told(B, "agent", parse_line("drain"), 0)
    custom.tick(view, 0)
    assert (view.nodes[A].weight, view.nodes[A].ready) == (0.5, True)
    assert (view.nodes[B].weight, view.nodes[B].barred) == (1.0, "its agent says drain")
    custom.told(B, "agent", parse_line("50%"), 1)
    custom.tick(view, 1)
    assert view.nodes[B].barred == "its agent says drain"
    custom.tick(view, 40)  # both fell silent
    assert (view.nodes[A].weight, view.nodes[B].weight, view.nodes[B].barred) == (1.0, 1.0, "")


def test_what_was_said_before_a_silence_is_not_taken_up_again():
    view, custom = even(a=5, b=5), CustomLoad([AGENT])
    custom.told(A, "agent", parse_line("drain"), 0)
    custom.told(A, "agent", parse_line("50%"), 31)
    custom.tick(view, 31)
    assert view.nodes[A].barred == ""


def test_an_agents_maximum_bars_a_full_node_even_where_all_are_full():
    view, custom = even(a=5, b=9), CustomLoad([AGENT])
    for node in (A, B):
        custom.told(node, "agent", parse_line("maxconn:5"), 0)
    custom.tick(view, 0)
    assert view.nodes[A].barred == "holds 5 of at most 5 by its agent"
    assert view.nodes[B].barred == "holds 9 of at most 5 by its agent"
    view.reported(node_report("a", 2, connections=4), 1)
    custom.tick(view, 1)
    assert view.nodes[A].ready


def test_a_share_of_nothing_leaves_the_weight_so_that_a_panic_can_undo_it():
    view, custom = even(a=5, b=5), CustomLoad([AGENT])
    for node in (A, B):
        custom.told(node, "agent", parse_line("0%"), 0)
    custom.tick(view, 0)
    assert custom.panic
    assert [node.ready for node in view.eligible] == [True, True]


def test_a_node_that_left_is_forgotten():
    view, custom = even(a=5, b=5, c=5), CustomLoad([CPU, AGENT])
    custom.read(A, "cpu", 0.95, 5, 0)
    custom.read(B, "cpu", 0.1, 5, 0)
    custom.told(A, "agent", parse_line("drain"), 0)
    custom.tick(view, 0)
    report = view.nodes[A].report
    view.forgotten(report)
    custom.tick(view, 1)
    assert set(custom.standings) == {B, C}
    view.reported(report, 2)
    custom.tick(view, 2)
    assert view.nodes[A].ready


def test_nodes_of_which_nothing_is_known_are_left_alone():
    view, custom = even(a=5, b=5), CustomLoad([CPU])
    for second in range(40):
        custom.tick(view, second)
    assert [(node.ready, node.weight) for node in view.eligible] == [(True, 1.0), (True, 1.0)]
    assert custom.standings[A].score is None
    CustomLoad([CPU]).tick(view_of({}), 0)
