"""The admin API: health, metrics and members over HTTP; on a gateway also its control."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

import msgspec

from ringway.admin.calls import OperatorWays, call_operations
from ringway.admin.control import Control, control_operations
from ringway.admin.member import Cluster, GatewayRow, NodeRow
from ringway.admin.metric import CONTENT_TYPE, Metrics
from ringway.admin.rights import BY_REQUEST, RIGHTS, Right
from ringway.admin.tokens import AdminTokens, make_guard
from ringway.api.application import ApiApp
from ringway.api.document import show_document
from ringway.api.guard import host_guard
from ringway.api.operation import Operation, WithStatus

TITLE = "Ringway admin"
METRICS = ("GET", "/metrics")


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """The health of a process. `problems` says in sentences why it is not ready or degraded, or gets no clients."""

    name: str
    role: str
    version: str
    engine: str  # "up", "away", or "none" if the process needs no engine
    ready: bool  # true if new clients are welcome
    degraded: bool = False  # true if the engine is away, or refuses something, or the outbox cannot go on
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Admin:
    """The parts of a process that the admin port reads. The callables run in the event loop and must be quick."""

    health: Callable[[], Health]
    cluster: Callable[[], Cluster]
    metrics: Metrics
    control: Control | None = None  # only a gateway has a control, and ways for operators
    ways: OperatorWays | None = None


def build_api(
    admin: Admin,
    version: str,
    hosts: Collection[str] | None = (),
    tokens: AdminTokens | None = None,
    *,
    open_metrics: bool = False,
) -> ApiApp:
    """Return the ASGI application of the admin port.

    `hosts` are the known names of a port on loopback (`guard.host_guard`); None for any other port. With `tokens`
    operations need the right that `RIGHTS` names; with `open_metrics` the metrics need none.
    """
    operations = [
        _with_right(operation, tokens, open_metrics=open_metrics)
        for operation in (
            *_process_operations(admin),
            *(control_operations(admin.control) if admin.control else ()),
            *(call_operations(admin.ways) if admin.ways else ()),
        )
    ]
    # No pages to try the API: they would load scripts of third parties, which could then steer the gateway.
    pages = show_document(operations, TITLE, version, "/schema", "/schema/openapi.json")
    return ApiApp([*operations, *pages], () if hosts is None else (host_guard(hosts, "admin port", "admin"),))


def _with_right(operation: Operation, tokens: AdminTokens | None, *, open_metrics: bool) -> Operation:
    """Return `operation` with the right that it needs, and with its guard if there are `tokens`."""
    place = operation.method, operation.path
    right = Right.NONE if open_metrics and place == METRICS else RIGHTS[place]
    if right is Right.NONE:
        return operation
    guards = (make_guard(tokens, BY_REQUEST.get(place, lambda _: right)),) if tokens is not None else ()
    return replace(
        operation,
        right=str(right),
        guards=(*guards, *operation.guards),
        statuses=(*operation.statuses, (401, "No token, or an unknown token"), (403, "The token may only read")),
    )


def _process_operations(admin: Admin) -> Sequence[Operation]:
    """Return the operations that every process has."""

    def readyz() -> WithStatus:
        health = admin.health()
        return WithStatus(200 if health.ready else 503, health)

    return [
        Operation(
            "GET",
            "/v1/members",
            "members",
            "The nodes and gateways, and the strangers: members whose messages are not believed",
            admin.cluster,
            Cluster,
        ),
        Operation("GET", "/healthz", "healthz", "How the process is; 200 while it runs at all", admin.health, Health),
        Operation("GET", "/readyz", "readyz", "200 while new clients are welcome, else 503", readyz, Health),
        Operation(
            "GET",
            "/metrics",
            "metrics",
            "Metrics in Prometheus's text format",
            admin.metrics.render,
            bytes,
            media_type=CONTENT_TYPE,
        ),
        Operation(
            "GET",
            "/v1/nodes",
            "nodes",
            "The nodes, as `ringway nodes --json` shows them",
            lambda: admin.cluster().nodes,
            tuple[NodeRow, ...],
        ),
        Operation(
            "GET",
            "/v1/gateways",
            "gateways",
            "The gateways",
            lambda: admin.cluster().gateways,
            tuple[GatewayRow, ...],
        ),
    ]
