"""Weights: shares of the connections, of nodes and backends alike, relative to those of others.

A weight divides numbers of connections. So one that is nearly 0 would give nonsense, where 0 has a meaning: the member
gets no newcomers, and its connections are moved away.
"""

WEIGHT_MIN = 0.001
WEIGHT_MAX = 1000.0

WEIGHT_RULE = f"0 (no newcomers), or {WEIGHT_MIN:g} to {WEIGHT_MAX:g}"
"""The rule for every weight that is given, in words."""


def is_weight(weight: float) -> bool:
    """Return True if `weight` may be given to a node or backend."""
    return weight == 0 or WEIGHT_MIN <= weight <= WEIGHT_MAX


def bound_weight(weight: float) -> float:
    """Return the usable weight that is next to `weight`, which was computed from others; 0 stays 0."""
    return min(max(weight, WEIGHT_MIN), WEIGHT_MAX) if weight > 0 else 0.0
