"""Custom load: the effect of external measures on the view. They feed a gate and a slow weight loop, never a pick.

    collectors → values, words → `Board` (score) → `Gates` → LoadView.set_gates     nodes that get no newcomers
                                                 → `Trims` → LoadView.set_trims     nodes that get a few more or fewer

A measure is seconds old when it arrives, and all gateways read the same one. Placing by it sends every client to the
node that was idle a moment ago (Mitzenmacher, "How useful is old information?", 2000). A gate and a slowly turned
weight use the same knowledge without this herd (docs/adr/0006).
"""

from collections.abc import Sequence
from typing import NamedTuple

from ringway.core.custom.agent import Advice, Words
from ringway.core.custom.gate import Gates
from ringway.core.custom.score import Blend, Board, ExternalMetric, NodeScore
from ringway.core.custom.trim import PERIOD_S, TrimInput, Trims
from ringway.core.load import LoadView
from ringway.types import NodeName


class _Heard(NamedTuple):
    advice: Advice
    until: float


class CustomLoad:
    """All external measures, and the gates and trims that follow from them. `now` is monotonic.

    `standings`, `gates` (with the reasons) and `trims` (with agents' shares) are the results of the last `tick`.
    """

    def __init__(self, metrics: Sequence[ExternalMetric], blend: Blend = "bottleneck") -> None:
        self._expire_s = {metric.name: metric.expire_s for metric in metrics}
        self._board = Board(metrics, blend)
        self._judge = Gates(metrics)
        self._slow = Trims()
        self._step_at: float | None = None
        self._heard: dict[tuple[NodeName, str], _Heard] = {}
        self.standings: dict[NodeName, NodeScore] = {}
        self.gates: dict[NodeName, str] = {}
        self.trims: dict[NodeName, float] = {}

    @property
    def panic(self) -> bool:
        """True if gates are ignored, because too many would be closed."""
        return self._judge.panic

    def read(self, node: NodeName, metric: str, value: float, load: float, now: float) -> None:
        """Record a value that was measured at `node` under `load` connections. It must be finite."""
        self._board.read(node, metric, value, load, now)

    def told(self, node: NodeName, metric: str, words: Words, now: float) -> None:
        """Follow the words of the agent of `node`. A silent agent does not bar its node any more."""
        before = self._heard.get((node, metric))
        advice = before.advice if before is not None and before.until >= now else Advice()
        self._heard[node, metric] = _Heard(advice.follow(words), now + self._expire_s[metric])

    def tick(self, view: LoadView, now: float) -> None:
        """Apply the present gates and trims to `view`. Call it about once a second."""
        self._board.forget_others(view.nodes)
        self._heard = {key: heard for key, heard in self._heard.items() if key[0] in view.nodes and heard.until >= now}
        self.standings = self._board.judge({name: node.load for name, node in view.nodes.items()}, now)
        self._set_gates(view)
        if self._step_at is None:
            self._step_at = now + PERIOD_S
        elif now >= self._step_at:
            self._step_at = now + PERIOD_S
            self._slow.step(
                {
                    node.name: TrimInput(standing.utilisation, standing.load, node.weight_own)
                    for node in view.eligible
                    if (standing := self.standings.get(node.name)) is not None
                }
            )
        self._set_trims(view)

    def _set_gates(self, view: LoadView) -> None:
        orders: dict[NodeName, str] = {}
        full: dict[NodeName, str] = {}
        for (name, _), heard in self._heard.items():
            most, load = heard.advice.connections_max, view.nodes[name].load
            if heard.advice.against:
                orders.setdefault(name, heard.advice.against)
            if most and load >= most:
                full[name] = f"holds {load} of at most {most} by its agent"
        weights = {node.name: node.weight_own for node in view.eligible}
        # A full node stays barred, independently of the other nodes.
        self.gates = {**self._judge.judge(self.standings, weights, orders), **full}
        view.set_gates(self.gates)

    def _set_trims(self, view: LoadView) -> None:
        trims = {name: factor for name, factor in self._slow.factors.items() if name in view.nodes}
        for (name, _), heard in self._heard.items():
            factor = heard.advice.factor(view.nodes[name].weight_own)
            if factor > 0:  # a weight of zero is applied by the gate: in a panic it must be undone
                trims[name] = trims.get(name, 1.0) * factor
        self.trims = trims
        view.set_trims(trims)
