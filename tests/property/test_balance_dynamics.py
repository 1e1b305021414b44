"""The balancer over minutes and hours: a leader's `LeaderRound` over nodes whose reports come late, or not at all.

The bounds are those of research/load-balancing §7 (P13 to P15). Time goes in seconds; in each, clients come and go,
nodes report, and the leader plans. The seed decides every chance.
"""

from collections import Counter, defaultdict, deque
from collections.abc import Callable
from random import Random

import pytest

from ringway.core.balance.config import BalanceConfig
from ringway.core.balance.leader_round import LeaderRound
from ringway.core.load import LoadView
from ringway.core.load.reservation import Ledger
from ringway.core.placement.two_choices import TwoChoices
from ringway.protocol.report import Report
from ringway.types import Incarnation, Issuer, NodeName, NodeState, Role
from sample import GATEWAY, name

COOL_DOWN_S = 1800.0
LOST = 0.1


class Node:
    """What a node's shell keeps."""

    def __init__(self, node: NodeName, life: int) -> None:
        self.name = node
        self.incarnation = Incarnation(f"{int(node[1:]):04x}{life:04x}")
        self.clients: list[int] = []
        self.draining = False
        self.drain_ends = 0.0
        self.ledger = Ledger[NodeName]()
        self.taken: Counter[Issuer] = Counter()
        self.moved: Counter[NodeName] = Counter()
        self.missed = 0
        self.accepted = 0
        self.seq = 0

    def report(self, now: float, cooling: int) -> Report:
        self.seq += 1
        return Report(
            name=self.name, incarnation=self.incarnation, role=Role.NODE, seq=self.seq, url="",
            state=NodeState.DRAINING if self.draining else NodeState.ACTIVE, connections=len(self.clients),
            accept_per_s=2000.0, cooling=cooling, drain_left_s=max(0.0, self.drain_ends - now), missed=self.missed,
            taken=dict(self.taken), reserved=self.ledger.held(), moved=dict(self.moved), accepted=self.accepted,
        )  # fmt: skip


class World:
    """Nodes, clients, one gateway that leads. `late` is how many seconds reports travel; if `uneven`, at most.

    A node's reports come in their order; those of several nodes may be of very different times.
    """

    def __init__(self, nodes: int, connections: int, seed: int, *, late: int = 0, uneven: bool = False) -> None:
        self.rng = Random(seed)
        self.late = late
        self.uneven = uneven
        self.now = 0.0
        self.nodes = {name(index): Node(name(index), 1) for index in range(nodes)}
        self.view = LoadView(GATEWAY)
        self.term = LeaderRound(BalanceConfig(), self.view)
        self.policy = TwoChoices()
        self.moves: list[tuple[float, int]] = []  # when, who
        self.moved_at: dict[int, float] = {}
        self.ordered: list[int] = []
        self.under_way: list[tuple[int, NodeName, Issuer]] = []
        self.wire: dict[NodeName, deque[tuple[float, Report]]] = defaultdict(deque)
        self.clients = 0
        self.frozen = ""
        for index in range(connections):
            self.nodes[name(index % nodes)].clients.append(self.newcomer())

    def newcomer(self) -> int:
        self.clients += 1
        return self.clients

    def run(self, seconds: int, *, comes: float = 0.0, goes: float = 0.0) -> None:
        """`comes` is newcomers a second, `goes` the part of all clients that leaves in a second."""
        for _ in range(seconds):
            self.now += 1.0
            self._arrive()
            self._churn(comes, goes)
            self._report()
            self.view.tick(self.now)
            self._lead()

    def until(self, condition: Callable[[], bool], seconds: int = 600, *, comes: float = 0, goes: float = 0) -> None:
        for _ in range(seconds):
            if condition():
                return
            self.run(1, comes=comes, goes=goes)
        raise AssertionError(f"not within {seconds} s: {self.loads()}, {self.frozen}")

    def loads(self) -> dict[NodeName, int]:
        return {node.name: len(node.clients) for node in self.nodes.values()}

    def restart(self, node: NodeName, life: int) -> None:
        left = self.nodes.pop(node)
        self.wire.pop(node, None)
        self.view.forgotten(left.report(self.now, 0))
        self.nodes[node] = Node(node, life)
        assert not left.clients

    def _arrive(self) -> None:
        arriving, self.under_way = self.under_way, []
        for client, target, issuer in arriving:
            node = self.nodes[target]
            node.clients.append(client)
            node.taken[issuer] += 1
            node.accepted += 1

    def _churn(self, comes: float, goes: float) -> None:
        count = sum(len(node.clients) for node in self.nodes.values()) * goes
        for _ in range(int(count) + (self.rng.random() < count % 1)):
            nodes = list(self.nodes.values())
            [node] = self.rng.choices(nodes, [len(node.clients) for node in nodes])
            node.clients.pop(self.rng.randrange(len(node.clients)))
        for _ in range(int(comes) + (self.rng.random() < comes % 1) if self.view.eligible else 0):
            self.view.wake(self.now)
            chosen = self.policy.pick(self.view, None, self.rng, 1).nodes[0]
            self.view.place(chosen, self.now)
            self.under_way.append((self.newcomer(), chosen.name, GATEWAY))

    def _report(self) -> None:
        for node in self.nodes.values():
            node.missed += node.ledger.expire(self.now)
            report = node.report(self.now, self._cooling(node))
            if self.rng.random() >= LOST:
                travels = self.rng.randint(0, self.late) if self.uneven else self.late
                self.wire[node.name].append((self.now + travels, report))
        for wire in self.wire.values():
            while wire and wire[0][0] <= self.now:
                self._hear(wire.popleft()[1])

    def _hear(self, report: Report) -> None:
        self.view.reported(report, self.now)
        for node in self.nodes.values():
            issuer = Issuer(node.incarnation)
            node.ledger.redeemed(report.name, report.incarnation, report.taken.get(issuer, 0))

    def _cooling(self, node: Node) -> int:
        return 0 if node.draining else sum(not self._may_move(client) for client in node.clients)

    def _may_move(self, client: int) -> bool:
        return self.moved_at.get(client, -COOL_DOWN_S) + COOL_DOWN_S <= self.now

    def _lead(self) -> None:
        settling = self.term.settling(self.now)
        self.frozen = self.term.frozen(self.now)
        plan = self.term.plan(self.now)
        orders = [] if settling or self.frozen else self.term.orders(plan, 1.0)
        self.ordered.append(sum(order.count for order in orders))
        for order in orders:
            donor = self.nodes[order.donor]
            self.term.ordered(order, self.now)
            eligible = [client for client in donor.clients if donor.draining or self._may_move(client)]
            for client in self.rng.sample(eligible, min(order.count, len(eligible))):
                donor.clients.remove(client)
                donor.ledger.hold(order.target, self.now)
                donor.moved[order.target] += 1
                self.moves.append((self.now, client))
                self.moved_at[client] = self.now
                self.under_way.append((client, order.target, Issuer(donor.incarnation)))


def moved_twice_within(world: World, seconds: float) -> int:
    """How many clients were moved again within so many seconds."""
    last: dict[int, float] = {}
    twice = 0
    for at, client in world.moves:
        twice += client in last and at - last[client] < seconds
        last[client] = at
    return twice


@pytest.mark.parametrize("uneven", [False, True])
@pytest.mark.parametrize("late", range(6))
def test_scale_out_makes_the_fewest_moves_and_overshoots_by_no_more_than_one_percent(late: int, uneven: bool) -> None:
    world = World(4, 4000, seed=late, late=late, uneven=uneven)
    world.run(30)
    world.nodes[name(4)] = Node(name(4), 1)
    most = 0
    for _ in range(90):
        world.run(1)
        most = max(most, len(world.nodes[name(4)].clients))
    assert 0.97 * 800 <= len(world.moves) <= 1.05 * 800
    assert most <= 1.01 * 800
    assert all(abs(load - 800) <= 0.03 * 800 for load in world.loads().values())
    assert moved_twice_within(world, COOL_DOWN_S) == 0
    world.run(120)
    assert len(world.moves) <= 1.05 * 800


@pytest.mark.parametrize("late", [0, 5])
def test_an_hour_at_equilibrium_moves_nobody(late: int) -> None:
    """2,000 clients on 10 nodes that stay ten minutes on average, while as many come."""
    world = World(10, 2000, seed=late, late=late)
    world.run(3600, comes=2000 / 600, goes=1 / 600)
    assert world.moves == []


@pytest.mark.parametrize(("late", "uneven"), [(0, False), (2, False), (5, False), (5, True)])
def test_with_churn_and_two_nodes_that_join_nobody_is_moved_twice(late: int, uneven: bool) -> None:
    world = World(4, 4000, seed=late, late=late, uneven=uneven)
    for index in (4, 5):
        world.run(60, comes=4, goes=0.001)
        world.nodes[name(index)] = Node(name(index), 1)
        world.run(60, comes=4, goes=0.001)
    assert moved_twice_within(world, COOL_DOWN_S) == 0
    assert len(world.moves) <= 1.05 * (4000 / 5 + 4000 / 6)
    loads = world.loads().values()
    assert max(loads) <= 1.05 * sum(loads) / len(loads)


@pytest.mark.parametrize("late", [0, 2])
def test_a_rolling_restart_moves_each_client_little_more_than_once(late: int) -> None:
    """Ten nodes, one after the other drained and restarted, and the next at once: who is drained fills the one before.

    The last one stays empty for as long as everybody was moved a short while ago, unless newcomers fill it.
    """
    world = World(10, 2000, seed=late, late=late)
    world.run(30)
    for index in range(10):
        node = world.nodes[name(index)]
        node.draining = True
        world.until(lambda node=node: not node.clients and not world.under_way)
        world.restart(node.name, 2)
        world.run(3 + late)
    world.run(60)
    assert max(world.loads().values()) <= 1.2 * 200
    world.run(int(COOL_DOWN_S))
    loads = world.loads().values()
    assert sum(loads) == 2000
    assert max(loads) <= 1.05 * 200
    assert len(world.moves) <= 1.3 * 2000


@pytest.mark.parametrize("late", [0, 1, 3])
def test_a_drain_by_a_deadline_is_even_and_in_time(late: int) -> None:
    world = World(5, 5000, seed=late, late=late)
    world.run(30)
    node = world.nodes[name(0)]
    node.draining, node.drain_ends = True, world.now + 60.0
    begun = len(world.ordered)
    world.until(lambda: not node.clients, 60)
    rates = [ordered for ordered in world.ordered[begun:] if ordered]
    steady = rates[2:-3]
    assert all(abs(rate - 1000 / 54) <= 0.1 * 1000 / 54 + 1 for rate in steady), rates
    assert len(rates) >= 50
    assert moved_twice_within(world, COOL_DOWN_S) == 0
