"""SRV records (RFC 2782): which of them are used, and what their weights mean beside those of other backends."""

from collections.abc import Collection
from dataclasses import dataclass

from ringway.protocol.weight import WEIGHT_MAX

SMALL_WEIGHT = 0.01
"""The weight 0 beside greater ones: "a very small chance of being selected" (RFC 2782)."""


@dataclass(frozen=True, slots=True)
class ServiceRecord:
    """One SRV record. `target` has no dot at its end; "" is the root, which says that there is no server."""

    priority: int
    weight: int
    port: int
    target: str


def weigh_records(records: Collection[ServiceRecord]) -> dict[ServiceRecord, float]:
    """Return the records of the lowest priority, each with the weight of its backends, in the order of their fields.

    The weights are those of the records. If all are 0 they are 1, and if one is too great for a backend, all are made
    smaller in proportion. A record without a port or a target names no server.
    """
    usable = sorted(
        (record for record in records if record.port and record.target),
        key=lambda record: (record.priority, record.target, record.port, record.weight),
    )
    first = [record for record in usable if record.priority == usable[0].priority]
    most = max((record.weight for record in first), default=0)
    if not most:
        return dict.fromkeys(first, 1.0)
    scale = min(1.0, WEIGHT_MAX / most)
    return {record: record.weight * scale or SMALL_WEIGHT for record in first}
