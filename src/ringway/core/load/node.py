"""Load of one node in the view of policies: the parts of its effective load, and the reasons that bar it."""

from math import inf

from ringway.core.load.response import Response
from ringway.core.load.slow_start import SlowStart
from ringway.core.reporting import REPORT_S
from ringway.protocol.report import Report
from ringway.types import Incarnation, NodeName, NodeState

STALE = 3.0
"""The age of a report, in periods, from which on the node's load is taken to be larger."""

DEAD = 5.0
"""The age from which on the node is barred."""


class NodeLoad:
    """One node in the view of policies."""

    __slots__ = (
        "accept", "barred", "clock", "connections", "doubt", "ejected", "full", "gate", "heard_at", "incarnation",
        "inflation", "joined_at", "load", "name", "others", "own", "pending", "problem", "report", "requests",
        "response", "skew_s", "stale", "state", "trim", "turn", "weight", "weight_own",
    )  # fmt: skip

    def __init__(self, name: NodeName, incarnation: Incarnation, weight: float = 1.0) -> None:
        self.name = name
        self.incarnation = incarnation
        self.weight_own = weight  # as the node reports it; keys are placed by this weight
        self.trim = 1.0  # the factor of the slow weight loop (core.custom.trim)
        self.weight = weight  # the product of both
        self.state = NodeState.ACTIVE
        self.connections = 0
        self.pending = 0
        self.own = 0  # places held by this issuer
        self.others = 0  # places held by other members
        self.requests = 0  # plain requests under way through this gateway
        self.load = 0
        self.full = 1.0 / weight if weight else inf  # with one more; the +1 lets weights count on idle nodes as well
        self.barred = ""  # the reason why it gets no newcomers; empty: it may get them
        self.clock = ""  # the reason why its clock bars it; empty: tickets allow for its skew
        self.doubt = ""  # the reason why it must prove first that it is there (`LoadView.knocks`); empty: it has
        self.ejected = ""  # the reason of its ejection (`core.outlier`); empty: it is not ejected
        self.gate = ""  # the reason why an external measure bars it; empty: not barred
        self.problem = ""  # the reason why the check of a static backend failed; empty: it is up
        self.stale = ""  # the reason why the age of its report bars it
        self.skew_s = 0.0  # its wall clock is so much ahead of this process's (`core.clock_skew`)
        self.inflation = 1.0
        self.joined_at = 0.0
        self.heard_at = 0.0
        self.turn = 0.0  # among equal nodes the smallest is next (`LoadView`)
        self.accept = SlowStart()
        self.response = Response()
        self.report: Report | None = None

    def __repr__(self) -> str:
        return f"NodeLoad({self.name} load={self.load} weight={self.weight})"

    @property
    def is_backend(self) -> bool:
        """True if it is a server without Ringway, whose connections gateways hold."""
        return self.report is not None and self.report.is_backend

    @property
    def eligible(self) -> bool:
        """True if policies may choose it."""
        return self.state is NodeState.ACTIVE and self.weight > 0 and not self.doubt

    @property
    def ready(self) -> bool:
        """True if it may get a newcomer now."""
        return self.full != inf

    def is_next(self, report: Report) -> bool:
        """True if `report` follows the last one, and says of no new place, state or weight: nearly all are so."""
        last = self.report
        return (
            last is not None
            and report.incarnation == last.incarnation
            and report.url == last.url
            and report.state is last.state
            and report.weight == last.weight
        )

    def read_counts(self, report: Report, now: float) -> None:
        """Read the report; `refresh` must follow."""
        self.report, self.heard_at = report, now
        self.connections, self.pending = report.connections, report.pending
        self.inflation, self.stale = 1.0, ""

    def update_age(self, now: float, *, panic: bool) -> bool:
        """Note how old the last report is; return True if `refresh` must follow. In `panic` it does not matter."""
        age = now - self.heard_at
        stale = age > STALE * REPORT_S and not panic
        inflation = 1.0 + age / (10.0 * REPORT_S) if stale else 1.0
        why = f"not heard for {age:.1f} s" if stale and age > DEAD * REPORT_S else ""
        changed = inflation != self.inflation or bool(why) != bool(self.stale)
        self.inflation = inflation
        self.stale = why
        return changed

    def able(self, now: float) -> bool:
        """True if it can serve a newcomer now: for policies by turn or by key, which ignore the share."""
        return self.full != inf or (not self.barred and self.weight > 0 and self.accept.time_ready() <= now)

    def refresh(self) -> None:
        """Recompute `load`, `barred` and `full` after one of their parts has changed."""
        self.load = self.connections + self.pending + self.own + self.others + self.requests
        most = self.report.connections_max if self.report is not None else 0
        if most and self.load >= most:
            self.barred = f"holds {self.load} of at most {most}"
        else:
            self.barred = self.doubt or self.ejected or self.clock or self.gate or self.stale
        if self.barred or self.accept.paced or self.weight <= 0:
            self.full = inf
        else:
            self.full = (self.load * self.inflation + 1) / self.weight
