"""Requests and answers of the registration API, as JSON: what backends and gateways tell each other.

docs/reference/registration.md describes it for people.
"""

from typing import Annotated

import msgspec

from ringway.protocol.order import DRAIN_WITHIN_S_MAX
from ringway.protocol.weight import WEIGHT_MAX, WEIGHT_RULE
from ringway.types import NodeName, NodeState

TTL_MIN_S = 1.0
TTL_MAX_S = 300.0
INCARNATION_LENGTH_MAX = 64


class BackendRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A backend that registers. Only `url` is required."""

    url: Annotated[str, msgspec.Meta(description="Where gateways connect to: ws://host:port/prefix or wss://")]
    weight: Annotated[float, msgspec.Meta(ge=0, le=WEIGHT_MAX, description=WEIGHT_RULE)] = 1.0
    group: str = ""
    zone: str = ""
    check: Annotated[str, msgspec.Meta(description="Path of the gateways' HTTP check; empty: they only connect")] = ""
    check_host: str = ""
    host: str = ""
    tls_name: Annotated[str, msgspec.Meta(description="The name in the certificate of a wss:// backend")] = ""
    on_move: Annotated[str, msgspec.Meta(description="auto, close, reopen or never")] = ""
    close_code: Annotated[int, msgspec.Meta(description="What a client is told that is closed for a move")] = 1012
    restart_codes: tuple[int, ...] = ()
    ttl_s: Annotated[float, msgspec.Meta(description="The lease", ge=TTL_MIN_S, le=TTL_MAX_S)] | None = None
    incarnation: Annotated[
        str, msgspec.Meta(max_length=INCARNATION_LENGTH_MAX, description="Different in each life of the server")
    ] = ""


class Renewal(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A renewal of the lease, with what the server says about itself."""

    incarnation: str = ""
    connections: Annotated[int, msgspec.Meta(ge=0, le=2**53)] | None = None
    utilisation: dict[str, float] | None = None


class DrainOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A request to drain the backend, within `within_s` if that is above 0."""

    within_s: Annotated[float, msgspec.Meta(ge=0, le=DRAIN_WITHIN_S_MAX)] = 0.0
    force: Annotated[bool, msgspec.Meta(description="Try it, even if the time is too short")] = False
    incarnation: str = ""


class Granted(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A registration that was accepted. A warning is left out if there is none."""

    lease: Annotated[str, msgspec.Meta(description="Names the lease; another after a restart or an expiry")]
    ttl_s: Annotated[float, msgspec.Meta(description="Renew within this time; a third of it is usual")]
    state: NodeState
    warning: Annotated[str, msgspec.Meta(description="Why the backend gets no clients from this gateway")] = ""


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """The body of every error answer."""

    error: str
    rule: str = ""
    remedy: str = ""
    retry_after_s: Annotated[float, msgspec.Meta(description="When the same request may succeed; 0: never")] = 0.0


class BackendState(msgspec.Struct, frozen=True, kw_only=True):
    """The state of a backend in the cluster."""

    state: NodeState
    within_s: Annotated[float, msgspec.Meta(description="While it drains: the time left; 0: no deadline")] = 0.0
    left: Annotated[
        int | None, msgspec.Meta(description="Connections that gateways carry to it, in all; null: unknown")
    ] = None


class Renewed(BackendState, frozen=True, kw_only=True):
    """The state of a backend whose lease was renewed."""

    ttl_s: float


class BackendRow(BackendState, frozen=True, kw_only=True):
    """One registered backend."""

    name: NodeName
    url: str
    weight: float
    group: str
    zone: str
    on_move: str
    incarnation: str
    lease: str
    ttl_s: float
    expires_in_s: float
    connections: Annotated[int | None, msgspec.Meta(description="What the server itself counts")] = None
    utilisation: dict[str, float] = {}
