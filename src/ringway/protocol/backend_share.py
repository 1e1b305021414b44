"""Backends in the reports of gateways: the backends that a gateway knows, and the connections that it holds at each
(P-8.14).

A backend does not report. So each gateway reports its own share of every backend, and a process that hears gateways
adds the shares up to one report of a node (`core.held_nodes`).
"""

import msgspec

from ringway.protocol.backend import Backend
from ringway.protocol.count import Count
from ringway.types import Incarnation, Issuer, NodeName, NodeState


class BackendClaim(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A backend that a gateway knows by a source of its own. If two gateways differ, the newer claim counts."""

    backend: Backend
    since: float  # Unix time at which the source described it so
    utilisation: dict[str, float] = {}  # the server's own measures, by resource: 1 is the healthy maximum
    lease_s: float = 0.0  # the lease by which the server registered at this gateway; 0: it did not register
    source: str = ""  # the source that offers it now; empty: it registered, or no source offers it any more

    @property
    def rank(self) -> tuple[float, str, str]:
        """Its place among claims of one name: the highest counts."""
        return self.since, self.backend.url, self.backend.life


class BackendShare(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The share of one gateway in one backend. The fields are those of a node's report (`protocol.report`)."""

    incarnation: Incarnation  # of the backend; shares of an earlier one do not count
    version: Count = 0  # of the state: the highest counts, so that gateways agree
    state: NodeState = NodeState.ACTIVE
    drain_left_s: float = 0.0
    drain_avoid: tuple[NodeName, ...] = ()
    connections: Count = 0  # connections that stay
    leaving: Count = 0  # connections that wait for the moment of their move, or are on their way
    cooling: Count = 0
    accepted: Count = 0
    taken: dict[Issuer, Count] = {}
    moved: dict[NodeName, Count] = {}
    reserved: dict[NodeName, Count] = {}
    missed: Count = 0
    counted: str = ""
    misplaced: dict[NodeName, Count] = {}
    handed_over: Count = 0
    reconnected: Count = 0
    lost: Count = 0
