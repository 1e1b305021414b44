"""Effective load after any sequence of events, against a model that keeps lists instead of sums."""

from math import inf, isclose
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from ringway.core.load import LoadView
from ringway.protocol.report import Report
from ringway.types import NodeName
from sample import GATEWAY, gateway_report, name, node_report

NODES = [name(index) for index in range(3)]
OTHERS = ["g2", "g3"]
TTL_S = 10.0

nodes = st.sampled_from(NODES)


class _Node:
    """What the model knows of one node."""

    def __init__(self, life: int) -> None:
        self.life = life
        self.seq = 0
        self.known = False
        self.draining = False
        self.connections = 0
        self.pending = 0
        self.weight = 1.0
        self.taken = 0
        self.told = 0
        self.places: list[float] = []  # when each ends


class LoadMachine(RuleBasedStateMachine):
    """Feeds a `LoadView` and the model with the same events."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.view = LoadView(GATEWAY)
        self.model = {node: _Node(1) for node in NODES}
        self.reserved: dict[str, dict[NodeName, int]] = {}
        self.last: dict[NodeName, Report] = {}
        self.seq = 0

    @rule(node=nodes, connections=st.integers(0, 99), pending=st.integers(0, 9), redeemed=st.integers(0, 5))
    def node_reports(self, node: NodeName, connections: int, pending: int, redeemed: int) -> None:
        model = self.model[node]
        model.weight = 0.5 + connections % 3
        model.seq += 1
        model.connections, model.pending = connections, pending
        model.taken += redeemed
        self._report(node)
        del model.places[: model.taken - model.told]
        model.told = model.taken

    @rule(node=nodes)
    def node_drains_or_returns(self, node: NodeName) -> None:
        model = self.model[node]
        model.draining = not model.draining
        if model.known:
            model.seq += 1
            self._report(node)

    @rule(node=nodes)
    def node_restarts(self, node: NodeName) -> None:
        """Under a new incarnation; the places held are kept: their clients come to the same name."""
        old = self.model[node]
        self.model[node] = _Node(old.life + 1)
        self.model[node].places = old.places
        self._report(node)

    @rule(node=nodes)
    def node_leaves(self, node: NodeName) -> None:
        if self.model[node].known:
            self.view.forgotten(self.last[node])
            self.model[node] = _Node(self.model[node].life + 1)

    @rule(other=st.sampled_from(OTHERS), reserved=st.dictionaries(nodes, st.integers(1, 20)))
    def another_gateway_reports(self, other: str, reserved: dict[NodeName, int]) -> None:
        self.seq += 1
        self.reserved[other] = reserved
        self.view.reported(gateway_report(other, self.seq, reserved=reserved), self.now)

    @rule(other=st.sampled_from(OTHERS))
    def another_gateway_leaves(self, other: str) -> None:
        self.view.forgotten(gateway_report(other, self.seq, reserved=self.reserved.pop(other, {})))

    @rule(gated=st.sets(nodes), trims=st.dictionaries(nodes, st.sampled_from([0.5, 1.0, 2.0])))
    def nodes_are_measured(self, gated: set[NodeName], trims: dict[NodeName, float]) -> None:
        """By the collectors: some are closed to newcomers, and weights are trimmed."""
        self.view.set_gates(dict.fromkeys(gated, "too hot"))
        self.view.set_trims(trims)

    @rule(node=nodes, count=st.integers(1, 8))
    def places_are_held(self, node: NodeName, count: int) -> None:
        if self.model[node].known:
            for _ in range(count):
                self.view.place(self.view.nodes[node], self.now)
                self.model[node].places.append(self.now + TTL_S)

    @rule(node=nodes)
    def a_place_is_given_up(self, node: NodeName) -> None:
        if self.model[node].known:
            self.view.unplace(self.view.nodes[node])
            del self.model[node].places[-1:]

    @rule(seconds=st.floats(0.1, 12.0))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        self.view.tick(self.now)
        for model in self.model.values():
            model.places = [end for end in model.places if end > self.now]

    @rule()
    def somebody_claims(self) -> None:
        """Gateways hold places for their own clients alone: there is nothing to claim, and no load changes."""
        assert self.view.claim(self.now) is None

    @invariant()
    def every_load_is_the_sum_of_its_parts(self) -> None:
        for name_, node in self.view.nodes.items():
            model = self.model[name_]
            others = sum(reserved.get(name_, 0) for reserved in self.reserved.values())
            assert node.load == model.connections + model.pending + len(model.places) + others
            assert node.load == node.connections + node.pending + node.own + node.others >= 0
            assert node.full == (
                inf if node.barred or node.accept.paced else (node.load * node.inflation + 1) / node.weight
            )

    @invariant()
    def the_sums_are_those_over_who_is_eligible(self) -> None:
        eligible = self.view.eligible
        assert self.view.total == sum(node.load for node in eligible)
        assert isclose(self.view.weights, sum(node.weight for node in eligible))
        assert self.view.takers() == [node for node in eligible if not node.barred]

    @invariant()
    def a_paced_node_is_woken_when_its_turn_comes(self) -> None:
        self.view.wake(self.now)
        for node in self.view.nodes.values():
            accept = node.accept
            assert accept.paced == (accept.share_ready() > self.view.placed or accept.time_ready() > self.now)

    @invariant()
    def exactly_the_active_nodes_are_eligible(self) -> None:
        active = [node for node in NODES if self.model[node].known and not self.model[node].draining]
        assert [node.name for node in self.view.eligible] == active
        assert all(self.view.nodes[node.name] is node for node in self.view.eligible)

    @invariant()
    def a_gateway_that_starts_now_sees_the_same(self) -> None:
        """Fed with everybody's next report, ours among them, a new view agrees: nothing is known here alone."""
        fresh = LoadView(GATEWAY.__class__("ffffffff"))
        fresh.reported(gateway_report("g1", reserved=self.view.ledger.held()), self.now)
        for other, reserved in self.reserved.items():
            fresh.reported(gateway_report(other, reserved=reserved), self.now)
        for node in NODES:
            if self.model[node].known:
                fresh.reported(self.last[node], self.now)
        assert {node.name: node.load for node in fresh.nodes.values()} == {
            node.name: node.load for node in self.view.nodes.values()
        }

    def _report(self, node: NodeName) -> None:
        model = self.model[node]
        model.known = True
        fields: dict[str, Any] = {
            "connections": model.connections,
            "pending": model.pending,
            "weight": model.weight,
            "connections_max": 60 if node == NODES[0] else 0,
            "accept_per_s": 4.0 if node == NODES[1] else 0.0,
        }
        report = node_report(
            node, model.seq, model.life, draining=model.draining, taken={GATEWAY: model.taken}, **fields
        )
        self.last[node] = report
        self.view.reported(report, self.now)


TestLoad = LoadMachine.TestCase
TestLoad.settings = settings(max_examples=80, stateful_step_count=40)
