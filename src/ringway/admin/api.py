"""The admin API: health, metrics and members over HTTP; of a gateway, what steers it as well."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import msgspec
from litestar import Litestar, Request, Response, get
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin

from ringway.admin.control import Control, control_routes
from ringway.admin.guard import host_guard
from ringway.admin.member import Cluster, GatewayRow, NodeRow
from ringway.admin.metric import CONTENT_TYPE, Metrics
from ringway.errors import ConfigError


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


def build_api(admin: Admin, version: str, hosts: Collection[str] | None = ()) -> Litestar:
    """Return the ASGI application of the admin port.

    `hosts` are the names by which a port on loopback is known (`guard.host_guard`); None for any other port.
    """

    @get("/healthz", sync_to_thread=False, summary="How the process is; 200 while it runs at all")
    def healthz() -> Health:
        return admin.health()

    @get("/readyz", sync_to_thread=False, summary="200 while new clients are welcome, else 503")
    def readyz() -> Response[Health]:
        health = admin.health()
        return Response(health, status_code=200 if health.ready else 503)

    @get("/metrics", sync_to_thread=False, summary="Metrics in Prometheus's text format", media_type=CONTENT_TYPE)
    def metrics() -> bytes:
        return admin.metrics.render()

    @get("/v1/nodes", sync_to_thread=False, summary="The nodes, as `ringway nodes --json` shows them")
    def nodes() -> tuple[NodeRow, ...]:
        return admin.cluster().nodes

    @get("/v1/gateways", sync_to_thread=False, summary="The gateways")
    def gateways() -> tuple[GatewayRow, ...]:
        return admin.cluster().gateways

    own = control_routes(admin.control) if admin.control is not None else ()
    return Litestar(
        route_handlers=[healthz, readyz, metrics, nodes, gateways, *own],
        guards=[] if hosts is None else [host_guard(hosts)],
        exception_handlers={ConfigError: _refuse, UnicodeDecodeError: _unreadable, RecursionError: _unreadable},
        # No pages to try it out: those load scripts of others, which could then steer the gateway.
        openapi_config=OpenAPIConfig(title="Ringway admin", version=version, render_plugins=[JsonRenderPlugin()]),
        logging_config=None,
    )


def _refuse(_: Request[Any, Any, Any], error: ConfigError) -> Response[dict[str, Any]]:
    """Answer who asked for what cannot be."""
    return Response({"status_code": 400, "detail": str(error)}, status_code=400)


def _unreadable(_: Request[Any, Any, Any], error: UnicodeDecodeError | RecursionError) -> Response[dict[str, Any]]:
    """Answer who sent what no decoder can read: text that is no UTF-8, values that are nested too deep."""
    return Response({"status_code": 400, "detail": f"the request cannot be read: {error}"}, status_code=400)
