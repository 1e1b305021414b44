"""Node of the simulation: the state of its shell without the clients, and a queue of handshakes that takes time."""

from collections import Counter, deque

import numpy as np

from ringway.core.load.reservation import Ledger
from ringway.core.reporting import ReportSchedule, node_has_news
from ringway.protocol.report import Report
from ringway.sim.calendar import Ids
from ringway.types import Incarnation, Issuer, NodeName, NodeState, Role

QUEUE_S = 5.0
"""A node refuses clients that it could not serve within this time; they would have given up."""

HANDSHAKE_S = 0.002
"""Duration of a handshake if no client waits."""


class SimNode:
    """One node. `number` is its number in the crowd's arrays; `now` is virtual time."""

    def __init__(
        self, number: int, name: NodeName, *, weight: float, handshakes_per_s: float, connections_max: int, zone: str
    ) -> None:
        self.number = number
        self.name = name
        self.weight = weight
        self.zone = zone
        self.handshakes_per_s = handshakes_per_s
        self.connections_max = connections_max
        self.alive = False
        self.heard = True  # True while its reports arrive
        self.touched = False  # True if it joined, drained, or died in this run
        self.comes_back = False  # True if it is being restarted
        self.connections = 0
        self.cooling = 0
        self.begin(Incarnation(""), 0, 0.0)

    def begin(self, incarnation: Incarnation, issuer: int, now: float) -> None:
        """Begin an incarnation: empty, with all counters at zero."""
        self.incarnation = incarnation
        self.issuer = issuer
        self.state = NodeState.ACTIVE
        self.drain_ends = 0.0
        self.avoid: tuple[NodeName, ...] = ()
        self.ledger = Ledger[NodeName]()
        self.taken: Counter[Issuer] = Counter()
        self.moved: Counter[NodeName] = Counter()
        self.missed = 0
        self.accepted = 0
        self.seq = 0
        self.last: Report | None = None
        self._schedule = ReportSchedule(now)
        self.waiting: deque[Ids] = deque()
        self.pending = 0
        self._allowance = 0.0

    def has_news(self, now: float) -> bool:
        """True if it is to report now: each second, and early when a value changed on which other members decide."""
        last, schedule = self.last, self._schedule
        if last is None or not schedule.may_report(now):
            return last is None
        has_news = node_has_news(
            last,
            connections=self.connections,
            state=self.state,
            drains_by_deadline=bool(self.drain_ends),
            avoid=self.avoid,
            moved=self.moved,
            engine_up=last.engine_up,
        )
        return schedule.is_due(now, has_news=has_news)

    def report(self, now: float, pause_s: float) -> Report:
        """Return its report of now; the next report follows after `pause_s` at the latest."""
        self._schedule.on_report(now, pause_s)
        self.missed += self.ledger.expire(now)
        self.seq += 1
        self.last = Report(
            name=self.name,
            incarnation=self.incarnation,
            role=Role.NODE,
            seq=self.seq,
            url=f"ws://{self.name}",
            weight=self.weight,
            zone=self.zone,
            state=self.state,
            connections=self.connections,
            pending=self.pending,
            connections_max=self.connections_max,
            cooling=0 if self.state is NodeState.DRAINING else self.cooling,
            drain_left_s=max(0.1, self.drain_ends - now) if self.drain_ends else 0.0,
            drain_avoid=self.avoid,
            accept_per_s=self.handshakes_per_s,
            handshake_p99_s=HANDSHAKE_S + self.pending / self.handshakes_per_s,
            accepted=self.accepted,
            taken=dict(self.taken),
            reserved=self.ledger.held(),
            moved=dict(self.moved),
            missed=self.missed,
        )
        return self.last

    def queue(self, ids: Ids) -> Ids:
        """Let `ids` wait for their handshakes; return those that it refuses."""
        room = int(QUEUE_S * self.handshakes_per_s) - self.pending
        if self.connections_max:
            room = min(room, self.connections_max - self.connections - self.pending)
        taken = ids[: max(0, room)]
        if len(taken):
            self.waiting.append(taken)
            self.pending += len(taken)
        return ids[len(taken) :]

    def serve(self, dt: float) -> Ids:
        """Return the clients whose handshakes are done within this step."""
        self._allowance = min(self._allowance, 1.0) + self.handshakes_per_s * dt
        served = []
        while self.waiting and self._allowance >= 1.0:
            batch = self.waiting.popleft()
            count = int(self._allowance)
            if len(batch) > count:
                self.waiting.appendleft(batch[count:])
                batch = batch[:count]
            self._allowance -= len(batch)
            self.pending -= len(batch)
            served.append(batch)
        if not served:
            return np.empty(0, np.int64)
        return served[0] if len(served) == 1 else np.concatenate(served)
