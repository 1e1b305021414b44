"""The admin API: health, metrics and members over HTTP; of a gateway, what steers it as well."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from ringway.admin.application import AdminApp
from ringway.admin.control import Control, control_operations
from ringway.admin.guard import host_guard
from ringway.admin.member import Cluster, GatewayRow, NodeRow
from ringway.admin.metric import CONTENT_TYPE, Metrics
from ringway.admin.operation import Operation, WithStatus

TITLE = "Ringway admin"
OPENAPI_JSON = "application/vnd.oai.openapi+json"


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """How a process is. `problems` says in sentences why it is not ready, or not well."""

    name: str
    role: str
    version: str
    engine: str  # "up", "away", or "none" where there is none to need
    ready: bool  # whether new clients are welcome
    degraded: bool = False  # whether the engine is away, or refuses something
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Admin:
    """What the admin port asks of its process. The callables run in the event loop and must be quick."""

    health: Callable[[], Health]
    cluster: Callable[[], Cluster]
    metrics: Metrics
    control: Control | None = None  # a gateway has one


def build_api(admin: Admin, version: str, hosts: Collection[str] | None = ()) -> AdminApp:
    """Return the ASGI application of the admin port.

    `hosts` are the names by which a port on loopback is known (`guard.host_guard`); None for any other port.
    """
    operations = [*_process_operations(admin), *(control_operations(admin.control) if admin.control else ())]
    described: list[dict[str, Any]] = []

    def schema() -> dict[str, Any]:
        if not described:
            from ringway.admin.openapi import describe_api

            described.append(describe_api(operations, TITLE, version))
        return described[0]

    # No pages to try it out: those load scripts of others, which could then steer the gateway.
    pages = [
        Operation("GET", path, "schema", "This document", schema, dict, media_type=OPENAPI_JSON)
        for path in ("/schema", "/schema/openapi.json")
    ]
    return AdminApp([*operations, *pages], () if hosts is None else (host_guard(hosts),))


def _process_operations(admin: Admin) -> Sequence[Operation]:
    """Return what every process can be asked."""

    def readyz() -> WithStatus:
        health = admin.health()
        return WithStatus(200 if health.ready else 503, health)

    return [
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
