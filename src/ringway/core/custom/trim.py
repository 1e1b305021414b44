"""Trims of weights, slowly: nodes that external measures find busier than the rest get a little less weight, and back.

Every 10 s each weight is multiplied by clip((target / utilisation)^0.5, 0.9, 1.1), where the target is the weighted
mean; the total stays within 0.25 to 4 times the reported weight (after gRPC's and Envoy's ORCA weights). Picks go by
load per weight as always: no client is placed by a measure that is seconds old, since that would cause a herd.

Connections live for hours, so a change of weight takes effect long after it was made, and a loop that goes on until it
sees the effect would overshoot. Two rules prevent that:

- A node is judged by its utilisation **at its fair share**: utilisation x share / load, with the load under which it
  was measured. So a decision whose effect has not happened yet counts as done.
- The estimate is valid near the share only. The trim of a node with less than half or more than twice its share
  **rests**: a new node that still fills, a gated node, a node whose clients all stay.

Within 5 % of the target no weight changes, nor if the whole cluster is idle: then ratios are noise. Weights are scaled
so that their sum stays the reported sum. If no utilisation is known any more, trims go back to 1 at the same pace.
"""

from collections.abc import Mapping
from typing import NamedTuple

from ringway.types import NodeName

PERIOD_S = 10.0
GAIN = 0.5
STEP_MIN, STEP_MAX = 0.9, 1.1
TRIM_MIN, TRIM_MAX = 0.25, 4.0
DEAD_BAND = 0.05
IDLE = 0.1
"""Mean utilisation below which differences are noise."""

NEAR = 2.0
"""The factor by which a node's load may be above or below its share before its trim rests."""


class TrimInput(NamedTuple):
    """One node's input to the loop."""

    utilisation: float | None  # None: unknown
    load: float  # connections under which the utilisation was measured
    weight: float  # as the node reports it


class Trims:
    """The factors of all nodes' weights. Call `step` every `PERIOD_S`."""

    def __init__(self) -> None:
        self.factors: dict[NodeName, float] = {}

    def step(self, parts: Mapping[NodeName, TrimInput]) -> None:
        """Change the factors by one step; nodes that are not among `parts` are forgotten."""
        factors = {name: self.factors.get(name, 1.0) for name in parts}
        steps = self._steps(parts, factors)
        if any(step != 1.0 for step in steps.values()):
            factors = _scaled({name: factor * steps.get(name, 1.0) for name, factor in factors.items()}, parts)
        self.factors = factors

    def _steps(self, parts: Mapping[NodeName, TrimInput], factors: Mapping[NodeName, float]) -> dict[NodeName, float]:
        weights = {name: part.weight * factors[name] for name, part in parts.items() if part.weight > 0}
        known = {name: part.utilisation for name, part in parts.items() if part.utilisation is not None}
        if not known:
            return {name: _clip(1.0 / factor) for name, factor in factors.items()}
        per_weight = sum(parts[name].load for name in weights) / sum(weights.values()) if weights else 0.0
        judged: dict[NodeName, float] = {}
        for name, weight in weights.items():
            at_share = (per_weight * weight + 1.0) / (parts[name].load + 1.0)
            if name in known and 1.0 / NEAR <= at_share <= NEAR:
                judged[name] = known[name] * at_share
        total = sum(weights[name] for name in judged)
        target = sum(weights[name] * utilisation for name, utilisation in judged.items()) / total if total else 0.0
        if target < IDLE:
            return {}
        return {name: _step(target, utilisation) for name, utilisation in judged.items()}


def _step(target: float, utilisation: float) -> float:
    if abs(utilisation - target) <= DEAD_BAND * target:
        return 1.0
    return _clip((target / utilisation) ** GAIN) if utilisation > 0 else STEP_MAX


def _clip(step: float) -> float:
    return min(max(step, STEP_MIN), STEP_MAX)


def _scaled(factors: dict[NodeName, float], parts: Mapping[NodeName, TrimInput]) -> dict[NodeName, float]:
    """Return `factors` with a weighted mean of 1, each within its bounds: only ratios matter, and must not drift."""
    trimmed = sum(part.weight * factors[name] for name, part in parts.items())
    scale = sum(part.weight for part in parts.values()) / trimmed if trimmed > 0 else 1.0
    return {name: min(max(factor * scale, TRIM_MIN), TRIM_MAX) for name, factor in factors.items()}
