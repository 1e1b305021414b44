"""Places that other members hold: what they say, less what nodes say was redeemed since."""

from ringway.core.load.holding import Holdings
from ringway.types import Issuer, NodeName
from sample import gateway_report, node_report

N1, N2 = NodeName("n1"), NodeName("n2")
G2 = Issuer(gateway_report("g2").incarnation)


def told(**reserved: int) -> Holdings:
    holdings = Holdings()
    holdings.told(gateway_report("g2", reserved={NodeName(name): count for name, count in reserved.items()}))
    return holdings


def test_what_a_member_says_replaces_what_it_said() -> None:
    holdings = told(n1=5)
    assert holdings.told(gateway_report("g2", 2, reserved={N1: 2, N2: 1})) == {N1: -3, N2: 1}
    assert (holdings.at(N1), holdings.at(N2)) == (2, 1)


def test_what_a_node_has_redeemed_since_is_no_longer_on_its_way() -> None:
    holdings = told(n1=5)
    before = node_report("n1", 1, taken={G2: 100})
    assert holdings.redeemed(node_report("n1", 2, taken={G2: 103}), before) == -3
    assert holdings.at(N1) == 2
    assert holdings.redeemed(node_report("n1", 3, taken={G2: 120}), node_report("n1", 2, taken={G2: 103})) == -2
    assert holdings.at(N1) == 0


def test_a_counter_that_was_begun_anew_takes_nothing_back() -> None:
    holdings = told(n1=5)
    assert holdings.redeemed(node_report("n1", 2, taken={G2: 1}), node_report("n1", 1, taken={G2: 100})) == 0


def test_tickets_of_others_do_not_count() -> None:
    holdings = told(n1=5)
    other = Issuer("bbbbbbbb")
    assert holdings.redeemed(node_report("n1", 2, taken={other: 9}), node_report("n1", 1)) == 0


def test_the_next_word_of_the_member_counts_again() -> None:
    holdings = told(n1=5)
    holdings.redeemed(node_report("n1", 2, taken={G2: 3}), node_report("n1", 1))
    assert holdings.told(gateway_report("g2", 2, reserved={N1: 7})) == {N1: 5}


def test_nothing_remains_of_who_is_gone_or_holds_nothing() -> None:
    holdings = told(n1=5, n2=1)
    assert holdings.gone(NodeName("g2")) == {N1: -5, N2: -1}
    assert holdings.gone(NodeName("g2")) == {}
    holdings = told(n1=5)
    assert holdings.told(gateway_report("g2", 2)) == {N1: -5}
    assert list(holdings.told_by()) == []


def test_each_member_counts_for_itself() -> None:
    holdings = told(n1=5, n2=1)
    g3 = gateway_report("g3", reserved={N1: 4})
    holdings.told(g3)
    assert holdings.at(N1) == 9
    tickets = {G2: 2, Issuer(g3.incarnation): 1}
    assert holdings.redeemed(node_report("n1", 2, taken=tickets), node_report("n1", 1)) == -3
    assert holdings.told(gateway_report("g2", 2, reserved={N2: 1})) == {N1: -3, N2: 0}
    assert (holdings.at(N1), holdings.at(N2)) == (3, 1)
    assert holdings.gone(NodeName("g3")) == {N1: -3}
    assert (holdings.at(N1), holdings.at(N2)) == (0, 1)
