"""Causes that freeze moves, and the thaw after them."""

import pytest

from ringway.core.balance.config import BalanceConfig
from ringway.core.balance.guard import GONE_WAIT_S, LOOKS, THAW_S, WINDOW_S, Guard
from ringway.core.load import LoadView
from ringway.protocol.directive import Directive
from ringway.types import NodeName
from sample import GATEWAY, name, node_report

CALM = Directive()


class Watched:
    """A guard, and a view of ten nodes that report each second."""

    def __init__(self, nodes: int = 10, config: BalanceConfig | None = None) -> None:
        self.view = LoadView(GATEWAY)
        self.guard = Guard(config or BalanceConfig())
        self.now = 0.0
        self.seq = 0
        self.nodes = [name(index) for index in range(nodes)]
        self.silent: set[NodeName] = set()
        self.fields: dict[NodeName, dict[str, object]] = {}
        self.targets: set[NodeName] = set()
        self.lag_s = 0.002
        self.directive = CALM

    def look(self, seconds: float = 1.0) -> str:
        """Let so many seconds pass, with a look in each; return what the last one said."""
        why = ""
        for _ in range(int(seconds)):
            self.now += 1.0
            self.seq += 1
            for node in self.nodes:
                if node not in self.silent:
                    self.view.reported(node_report(node, self.seq, **self.fields.get(node, {})), self.now)
            why = self.guard.check(
                self.view, self.now, directive=self.directive, engine_lag_s=self.lag_s, targets=self.targets
            )
        return why


def test_nothing_speaks_against_moves_in_a_calm_cluster() -> None:
    assert Watched().look(60) == ""


def test_an_operator_s_word_counts_at_once_both_ways() -> None:
    watched = Watched()
    watched.directive = Directive(version=1, frozen="a deploy")
    assert watched.look() == "an operator has frozen it: a deploy"
    watched.directive = Directive(version=2)
    assert watched.look() == ""


def test_suspect_nodes_freeze_from_a_fifth_on_and_thaw_some_seconds_after_they_are_heard() -> None:
    watched = Watched()
    watched.look(5)
    watched.silent = {name(1)}
    assert watched.look(10) == ""
    watched.silent = {name(1), name(2)}
    assert watched.look(3) == ""
    assert watched.look() == "2 of 10 nodes were not heard for 3 s: n1, n2"
    watched.silent = set()
    assert watched.look(THAW_S - 1) != ""
    assert watched.look(2) == ""


def test_nodes_that_go_together_freeze_for_as_long_as_a_restart_takes() -> None:
    watched = Watched()
    watched.look(5)
    leaving = watched.nodes[:3]
    watched.nodes = watched.nodes[3:]
    for node in leaving:
        watched.view.forgotten(node_report(node))
    assert watched.look() == "3 of 10 nodes went away within 10 s; they may come back, so moves wait for 30 s"
    assert watched.look(GONE_WAIT_S - 2) != ""
    assert watched.look(THAW_S + 2) == ""


def test_a_wait_is_said_with_the_time_of_day_of_its_end() -> None:
    guard, view = Guard(BalanceConfig(), lambda at: f"[{at:g}]"), LoadView(GATEWAY)
    nodes = [node_report(f"n{number}") for number in range(10)]
    for node in nodes:
        view.reported(node, 100.0)
    guard.check(view, 100.0, directive=Directive())
    for node in nodes[:3]:
        view.forgotten(node)
    why = guard.check(view, 101.0, directive=Directive())
    assert why.endswith(f"so moves wait for 30 s, until [{101 + GONE_WAIT_S:g}]")


def test_one_that_goes_and_those_that_were_drained_are_no_mass_disappearance() -> None:
    watched = Watched(nodes=4)
    watched.fields = {name(0): {"draining": True}, name(1): {"draining": True}}
    watched.look(5)
    for node in watched.nodes[:3]:  # two drained ones, and one that dies
        watched.view.forgotten(node_report(node))
    watched.nodes = watched.nodes[3:]
    assert watched.look() == ""


def test_a_slow_engine_freezes_when_it_is_slow_for_a_while() -> None:
    watched = Watched()
    watched.lag_s = 0.8
    assert watched.look(LOOKS - 1) == ""
    assert watched.look() == "the engine is slow: it took 0.8 s to renew the lease"
    watched.lag_s = 0.002
    assert watched.look(THAW_S - 1) != ""
    assert watched.look() == ""


def moving(watched: Watched, moved: int, missed: int, connections: int, reserved: int = 0) -> None:
    """What n0 reports while it moves clients to n1."""
    places = {name(1): reserved} if reserved else {}
    watched.fields = {
        name(0): {"moved": {name(1): moved}, "missed": missed, "connections": connections, "reserved": places}
    }


def test_clients_that_do_not_come_back_freeze() -> None:
    watched = Watched(nodes=2)
    moving(watched, 0, 0, 1000)
    watched.look()
    moving(watched, 200, 4, 996)
    assert watched.look() == ""  # 98 % came
    moving(watched, 300, 9, 991)
    assert watched.look() == "9 of 300 clients moved within the last minute did not come back"
    assert watched.look(WINDOW_S - 2) != ""
    assert watched.look(THAW_S + 2) == ""


def test_clients_that_came_to_another_place_are_not_lost() -> None:
    watched = Watched(nodes=2)
    moving(watched, 0, 0, 1000)
    watched.look()
    moving(watched, 300, 50, 1001)
    assert watched.look(30) == ""


def test_clients_under_way_are_not_lost() -> None:
    watched = Watched(nodes=2)
    moving(watched, 0, 0, 1000)
    watched.look()
    moving(watched, 300, 50, 900, reserved=100)
    assert watched.look(30) == ""


def test_clients_that_end_by_themselves_are_not_lost() -> None:
    watched = Watched(nodes=2)
    moving(watched, 0, 0, 1000)
    watched.look()
    moving(watched, 300, 2, 700)
    assert watched.look(30) == ""


def test_a_few_lost_clients_say_nothing() -> None:
    watched = Watched(nodes=2)
    moving(watched, 0, 0, 1000)
    watched.look()
    moving(watched, 20, 5, 995)
    assert watched.look(5) == ""


def test_a_node_that_begins_anew_is_not_taken_for_losing_clients() -> None:
    watched = Watched(nodes=2)
    moving(watched, 900, 500, 1000)
    watched.look(2)
    moving(watched, 100, 0, 400)
    watched.fields[name(0)]["life"] = 2
    assert watched.look(5) == ""


def test_slow_handshakes_of_a_target_freeze_and_thaw_when_they_are_quick_again() -> None:
    watched = Watched(nodes=2)
    watched.fields = {name(1): {"handshake_p99_s": 0.060}}
    watched.look(30)
    watched.targets = {name(1)}
    watched.fields = {name(1): {"handshake_p99_s": 0.110}}
    assert watched.look(10) == ""  # less than twice
    watched.fields = {name(1): {"handshake_p99_s": 0.200}}
    assert watched.look(LOOKS - 1) == ""
    assert watched.look().startswith("handshakes of n1 take 200 ms, in calm times 6")
    watched.targets = set()  # frozen, it gets no more moves; it is slow all the same
    assert watched.look(10) != ""
    watched.fields = {name(1): {"handshake_p99_s": 0.060}}
    assert watched.look(THAW_S + 1) == ""


def test_a_new_node_is_measured_by_what_is_usual() -> None:
    watched = Watched(nodes=3)
    watched.fields = {name(0): {"handshake_p99_s": 0.05}, name(1): {"handshake_p99_s": 0.06}}
    watched.look(30)
    watched.fields[name(2)] = {"handshake_p99_s": 0.5}
    watched.targets = {name(2)}
    assert watched.look(LOOKS).startswith("handshakes of n2 take 500 ms")


@pytest.mark.parametrize("p99", [0.099, 0.0])
def test_quick_handshakes_freeze_nothing_however_much_quicker_they_were(p99: float) -> None:
    watched = Watched(nodes=2)
    watched.fields = {name(1): {"handshake_p99_s": 0.001}}
    watched.look(30)
    watched.targets = {name(1)}
    watched.fields = {name(1): {"handshake_p99_s": p99}}
    assert watched.look(10) == ""


def test_who_is_slow_by_itself_freezes_nothing() -> None:
    watched = Watched(nodes=2)
    watched.fields = {name(1): {"handshake_p99_s": 0.06}}
    watched.look(30)
    watched.fields = {name(1): {"handshake_p99_s": 0.6}}
    assert watched.look(60) == ""


def test_what_stays_slow_for_minutes_is_how_it_is_now() -> None:
    watched = Watched(nodes=2)
    watched.fields = {name(1): {"handshake_p99_s": 0.06}}
    watched.look(30)
    watched.targets = {name(1)}
    watched.fields = {name(1): {"handshake_p99_s": 0.2}}
    assert watched.look(10) != ""
    assert watched.look(120) == ""
