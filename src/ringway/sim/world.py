"""World of a simulated cluster: virtual time in steps, and the events of each step.

Nothing here decides anything about placement or balance. Gateways hold the product's `Membership`, `LoadView` and
policy; nodes hold its `Ledger`; the leader runs its `LeaderRound`. The world carries reports, tickets, orders and
clients between them, as the shells do, and advances time. It adds the troubles of shells: reports that are late or
lost, nodes with a limited rate of handshakes, and clients that do not obey.

Everything follows from the scenario and its seed.
"""

from collections import Counter, defaultdict
from random import Random
from typing import TYPE_CHECKING

import numpy as np

from ringway.core.membership import TICK_S
from ringway.core.reporting import REPORT_S, next_pause_s
from ringway.errors import NoNode
from ringway.protocol.report import Report
from ringway.sim.calendar import Calendar, Ids
from ringway.sim.classes import make_crowd
from ringway.sim.crowd import AWAY, DIAL_S, OBEDIENT, SLOW
from ringway.sim.gateway import SimGateway
from ringway.sim.meter import SimMeter
from ringway.sim.node import SimNode
from ringway.types import Incarnation, Issuer, NodeName, NodeState

if TYPE_CHECKING:
    from ringway.core.placement.policy import Policy
    from ringway.sim.contender import Contender
    from ringway.sim.scenario import Scenario

STEP_S = 0.1
TICK_STEPS = max(1, round(TICK_S / STEP_S))
TICKET_S = 10.0


class SimWorld:
    """The whole state of one simulation. `ringway.sim.run` fills it, plays the scenario and measures."""

    def __init__(self, scenario: "Scenario", contender: "Contender") -> None:
        self.scenario = scenario
        self.contender = contender
        self.step = 0
        self.now = 0.0
        self.rng = Random(f"{scenario.seed}")
        self.dice = np.random.default_rng(scenario.seed)
        self.crowd = make_crowd(scenario, contender, self.dice)
        self.population = scenario.connections  # clients to which mean_life_s applies
        self.deaths = 0
        self.coming = Calendar(STEP_S)  # clients that will come for the first time
        self.asking = Calendar(STEP_S)  # clients that will ask a gateway again
        self.dialling = Calendar(STEP_S)  # clients that will arrive at their target
        self.closing = Calendar(STEP_S)  # clients that will be ordered to move
        self.nodes: list[SimNode] = []
        self.by_name: dict[NodeName, SimNode] = {}
        self.gateways: list[SimGateway] = []
        self.issuers: list[Issuer] = []
        self.issuer_numbers: dict[Issuer, int] = {}
        self.issuer_nodes: dict[Issuer, SimNode] = {}
        self.meter = SimMeter(self.crowd, self.nodes)
        self._inbox: defaultdict[int, list[tuple[SimGateway, Report]]] = defaultdict(list)
        self._told: defaultdict[int, list[Report]] = defaultdict(list)  # reports on their way to nodes
        self._of_nodes = np.zeros(64, bool)  # by issuer: True if it is a node, whose tickets are of moves
        self._last_second = -1

    # members

    def add_node(self, name: str = "", weight: float | None = None) -> SimNode:
        """Start a node: the next node of the scenario, or a node of that name that is not running."""
        node = self.by_name.get(NodeName(name))
        if node is None:
            node = self._new_node(name, weight)
            self.nodes.append(node)
            self.by_name[node.name] = node
        node.alive = True
        incarnation, issuer = self._new_life()
        node.begin(incarnation, issuer, self.now)
        self.issuer_nodes[Issuer(incarnation)] = node
        if issuer >= len(self._of_nodes):
            self._of_nodes = np.pad(self._of_nodes, (0, issuer))
        self._of_nodes[issuer] = True
        return node

    def _new_node(self, name: str, weight: float | None) -> SimNode:
        settings, number = self.scenario, len(self.nodes)
        given = settings.node[number] if number < len(settings.node) else None
        if given is not None:
            name, weight = given.name, given.weight
        weight = weight or settings.weights[number % len(settings.weights)]
        free = (f"node-{count}" for count in range(number + 1, number + 1002))
        name = name or next(name for name in free if name not in self.by_name)
        return SimNode(
            number,
            NodeName(name),
            weight=weight,
            handshakes_per_s=(given and given.handshakes_per_s) or settings.handshakes_per_s * weight,
            connections_max=given.connections_max if given else settings.connections_max,
            zone=given.zone if given else settings.zones[number % len(settings.zones)] if settings.zones else "",
        )

    def add_gateway(self, policy: "Policy") -> SimGateway:
        """Start a gateway."""
        incarnation, issuer = self._new_life()
        name = NodeName(f"gateway-{len(self.gateways) + 1}")
        gateway = SimGateway(name, incarnation, issuer, policy, claims=self.contender.directed)
        self.gateways.append(gateway)
        return gateway

    def end_node(self, node: SimNode, *, withdraw: bool) -> None:
        """End a node, with or without a withdrawal. Its clients are cut off and come back by themselves."""
        node.alive = False
        if withdraw:
            for gateway in self.gateways:
                gateway.withdrawn(node.name, self.now)
        self.cut_off(self.crowd.at(node.number))
        waiting = list(node.waiting)
        node.waiting.clear()
        node.pending = 0
        for ids in waiting:
            self.send_back(ids)

    def drain(self, node: SimNode, within_s: float = 0.0, avoid: tuple[NodeName, ...] = ()) -> None:
        """Let `node` accept no clients, and be emptied by the leader; the nodes to `avoid` are drained next."""
        node.state = NodeState.DRAINING
        node.avoid = avoid
        node.drain_ends = self.now + within_s if within_s else 0.0

    def undrain(self, node: SimNode) -> None:
        """Let `node` accept clients again."""
        node.state = NodeState.ACTIVE
        node.drain_ends = 0.0
        node.avoid = ()

    # clients

    def cut_off(self, ids: Ids) -> None:
        """End the connections of `ids`; the clients notice, and come back as their kind does."""
        self.disconnect(ids)
        self.send_back(ids)

    def disconnect(self, ids: Ids) -> None:
        """End the connections of `ids`."""
        crowd = self.crowd
        left = np.bincount(crowd.node[ids], minlength=len(self.nodes))
        for number in np.flatnonzero(left):
            self.nodes[number].connections -= int(left[number])
        crowd.came_from[ids] = crowd.node[ids]
        crowd.node[ids] = AWAY
        crowd.leaving[ids] = False

    def send_back(self, ids: Ids) -> None:
        """Let `ids` ask a gateway again, after the pause of their kind after a failure."""
        if len(ids):
            self.asking.put(ids, self.now, self.crowd.return_delays(ids))

    def move(self, ids: Ids, target: SimNode) -> None:
        """Let `ids` be ordered to `target` in the steps of `closing`."""
        self.crowd.leaving[ids] = True
        self.crowd.target[ids] = target.number

    # time

    def advance(self) -> None:
        """Advance time by one step."""
        self.step += 1
        self.now = self.step * STEP_S
        self._carry_reports()
        self._members_act()
        self._come_and_go()
        self._close()
        self._ask()
        self._dial()
        self._serve()
        self.meter.stepped(self.now, self.asking.waiting + self.dialling.waiting)

    def _new_life(self) -> tuple[Incarnation, int]:
        incarnation = Incarnation(f"{self.rng.getrandbits(32):08x}")
        self.issuers.append(Issuer(incarnation))
        self.issuer_numbers[Issuer(incarnation)] = len(self.issuers) - 1
        return incarnation, len(self.issuers) - 1

    def _carry_reports(self) -> None:
        for gateway, report in self._inbox.pop(self.step, ()):
            gateway.heard(report, self.now)
        for report in self._told.pop(self.step, ()):
            self._redeem(report)

    def _members_act(self) -> None:
        if int(self.now) > self._last_second:
            self._last_second = int(self.now)
            cooling = self.crowd.cooling(len(self.nodes), self.now - self.scenario.cool_down_s)
            for node in self.nodes:
                node.cooling = int(cooling[node.number])
        for node in self.nodes:
            if node.alive and node.has_news(self.now):
                report = node.report(self.now, next_pause_s(REPORT_S, self.rng))
                if node.heard:
                    self._tell(report, self.scenario.report_delay_s)
        for gateway in self.gateways:
            if self.step % TICK_STEPS == 0:
                gateway.tick(self.now)
            told = gateway.report(self.now, self.rng)
            if told is not None:
                self._tell(told, self.scenario.gossip_delay_s)

    def _tell(self, report: Report, late_s: float) -> None:
        """Carry a report to all members: at once, within a few milliseconds, or late."""
        at = self.step + round(late_s / STEP_S)
        loss = self.scenario.report_loss
        for gateway in self.gateways:
            if loss and self.rng.random() < loss:
                continue
            if late_s:
                self._inbox[at].append((gateway, report))
            else:
                gateway.heard(report, self.now)
        if late_s:
            self._told[at].append(report)
        else:
            self._redeem(report)

    def _redeem(self, report: Report) -> None:
        """Let the nodes hear which tickets were redeemed."""
        for issuer, total in report.taken.items():
            node = self.issuer_nodes.get(issuer)
            if node is not None and str(node.incarnation) == issuer:
                node.ledger.redeemed(report.name, report.incarnation, total)

    def _come_and_go(self) -> None:
        """Some connections end by themselves, and as many newcomers arrive: their lives are exponential."""
        if not self.scenario.mean_life_s:
            return
        count = int(self.dice.poisson(self.population * STEP_S / self.scenario.mean_life_s))
        ids = self.crowd.ended(count)
        self.meter.ended(ids)
        self.disconnect(ids)
        self.crowd.came_from[ids] = AWAY
        self.crowd.moved_at[ids] = -np.inf
        self.crowd.moves[ids] = 0
        self.dice.shuffle(ids)
        self.coming.put(ids, self.now, 0.0)

    def _close(self) -> None:
        """Move the clients that are due: hold their places, and let each act as its kind does."""
        crowd = self.crowd
        ids = self.closing.take_step(self.step)
        ids = ids[crowd.leaving[ids] & (crowd.node[ids] >= 0)]
        if not len(ids):
            return
        donors, targets = crowd.node[ids], crowd.target[ids]
        self.meter.moved(ids)
        for (donor, target), count in Counter(zip(donors.tolist(), targets.tolist(), strict=True)).items():
            node = self.nodes[donor]
            name = self.nodes[target].name
            node.ledger.hold(name, self.now, count=count)
            node.moved[name] += count
        crowd.issuer[ids] = np.array([node.issuer for node in self.nodes], np.int32)[donors]
        crowd.ticket_ends[ids] = self.now + TICKET_S
        self.disconnect(ids)
        delays = crowd.move_delays(ids)
        aware = np.isin(crowd.kind[ids], (OBEDIENT, SLOW))
        self.dialling.put(ids[aware], self.now, np.maximum(delays[aware], STEP_S))
        self.asking.put(ids[~aware], self.now, delays[~aware])

    def _ask(self) -> None:
        """Let the clients that are due ask any gateway."""
        ids = np.concatenate([self.coming.take_step(self.step), self.asking.take_step(self.step)])
        placed, turned_away = [], []
        crowd, gateways = self.crowd, self.gateways
        for client in ids.tolist():
            gateway = gateways[(client + int(crowd.attempt[client])) % len(gateways)]
            try:
                name, issuer = gateway.place(crowd.key_of(client), self.now, self.rng)
            except NoNode:
                turned_away.append(client)
                continue
            crowd.target[client] = self.by_name[name].number
            crowd.issuer[client] = self.issuer_numbers[issuer]
            placed.append(client)
        crowd.ticket_ends[placed] = self.now + TICKET_S
        self.dialling.put(np.array(placed, np.int64), self.now, max(DIAL_S, STEP_S))
        if turned_away:
            self.meter.turned_away += len(turned_away)
            self.send_back(np.array(turned_away, np.int64))

    def _dial(self) -> None:
        """Let the clients that are due arrive at their nodes, and wait there for their handshakes."""
        crowd = self.crowd
        ids = self.dialling.take_step(self.step)
        late = crowd.ticket_ends[ids] < self.now
        if late.any():
            self.asking.put(ids[late], self.now, STEP_S)
            ids = ids[~late]
        if not len(ids):
            return
        targets = crowd.target[ids]
        for number in np.unique(targets).tolist():
            node = self.nodes[number]
            those = ids[targets == number]
            if not node.alive:
                self.meter.in_vain += len(those)
                self.send_back(those)
                continue
            self.meter.offered(number, int(self._of_nodes[crowd.issuer[those]].sum()), len(those))
            refused = node.queue(those)
            self.meter.refused(number, len(refused))
            self.send_back(refused)

    def _serve(self) -> None:
        crowd = self.crowd
        for node in self.nodes:
            if not node.pending:
                continue
            ids = node.serve(STEP_S)
            if not len(ids):
                continue
            issuers = crowd.issuer[ids]
            for issuer, count in zip(*np.unique(issuers, return_counts=True), strict=True):
                node.taken[self.issuers[issuer]] += int(count)
            from_nodes = self._of_nodes[issuers]
            crowd.moved_at[ids] = np.where(from_nodes, self.now, -np.inf)
            node.cooling += int(from_nodes.sum())
            node.connections += len(ids)
            node.accepted += len(ids)
            self.meter.accepted(node, ids)
            crowd.settle(ids, node.number)
