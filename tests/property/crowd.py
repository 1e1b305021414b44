"""Several gateways that place on the same nodes, and hear of them and of each other only by reports."""

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from ringway.core.load import LoadView, NodeLoad
from ringway.core.placement.policy import Policy
from ringway.protocol.report import Report
from ringway.types import Incarnation, Issuer, NodeName, Role
from sample import SPECS, make_policy, node_report

BY_LOAD = [
    *(spec for spec in SPECS if not make_policy(spec, b"").table and spec != "round-robin"),
    "two-choices:d=3",
    "weighted-round-robin:fill=true",
]
"""The policies that do not go by key, and know weights."""


@dataclass
class Server:
    """What a node is, and says of itself."""

    connections: int = 0
    fields: dict[str, Any] = field(default_factory=dict)
    taken: Counter[Issuer] = field(default_factory=Counter)


class Crowd:
    """The cluster. Clients are connected at once where they are sent."""

    def __init__(self, spec: str, nodes: dict[NodeName, Server], gateways: int = 4, seed: int = 8) -> None:
        self.nodes = nodes
        self.chance = Random(seed)
        self.lives = [Issuer(f"0000000{index}") for index in range(gateways)]
        self.views = [LoadView(life) for life in self.lives]
        self.policies: list[Policy] = [make_policy(spec, b"s") for _ in range(gateways)]
        self.placed: Callable[[LoadView, NodeLoad, float], None] = lambda view, node, now: None
        self.seq = 0
        self._number = 0

    def nodes_report(self, now: float) -> None:
        self.seq += 1
        for name, server in self.nodes.items():
            report = node_report(
                name, self.seq, connections=server.connections, taken=dict(server.taken), **server.fields
            )
            for view in self.views:
                view.reported(report, now)

    def gateways_report(self, now: float) -> None:
        self.seq += 1
        for life, speaker in zip(self.lives, self.views, strict=True):
            report = Report(
                name=NodeName(f"g{life}"), incarnation=Incarnation(life), role=Role.GATEWAY, seq=self.seq, url="",
                reserved=speaker.ledger.held(),
            )  # fmt: skip
            for view in self.views:
                view.reported(report, now)

    def arrive(self, now: float) -> NodeName:
        """Place one client, by the next gateway."""
        index = self._number % len(self.views)
        self._number += 1
        view = self.views[index]
        view.wake(now)
        node = self.policies[index].pick(view, None, self.chance, 3).nodes[0]
        view.place(node, now)
        server = self.nodes[node.name]
        server.connections += 1
        server.taken[self.lives[index]] += 1
        self.placed(view, node, now)
        return node.name

    def run(self, begin: float, end: float, per_s: int, *, period_s: float = 1.0, shared: bool = True) -> "Arrivals":
        """Let clients arrive evenly; nodes report each `period_s`, gateways five times a second if `shared`."""
        arrivals = Arrivals()
        nodes_due = gateways_due = begin
        for step in range(round((end - begin) * per_s)):
            now = begin + step / per_s
            if now >= nodes_due:
                self.nodes_report(now)
                nodes_due += period_s
            if now >= gateways_due:
                if shared:
                    self.gateways_report(now)
                for view in self.views:
                    if period_s <= 1.0:
                        view.tick(now)
                gateways_due += 0.2
            arrivals.append(now, self.arrive(now))
        return arrivals


class Arrivals:
    """Who came where, and when."""

    def __init__(self) -> None:
        self._times: dict[NodeName, list[float]] = {}
        self.counts: Counter[NodeName] = Counter()

    def append(self, now: float, node: NodeName) -> None:
        self._times.setdefault(node, []).append(now)
        self.counts[node] += 1

    def peak(self, node: NodeName, window_s: float = 1.0) -> int:
        """The most that came to `node` in any window, wherever it begins."""
        window: deque[float] = deque()
        most = 0
        for at in self._times.get(node, []):
            window.append(at)
            while window[0] <= at - window_s:
                window.popleft()
            most = max(most, len(window))
        return most
