"""The gateway of a cluster: discovery, health, and WebSockets that are carried to nodes. `server.Gateway` is it."""

from ringway.gateway.cluster.backends import Backend, OnMove, read_backends
from ringway.gateway.cluster.control import GatewayControl
from ringway.gateway.cluster.directory import Directory
from ringway.gateway.cluster.health import HealthChecks
from ringway.gateway.cluster.reporter import GatewayReporter
from ringway.gateway.config.gateway import GatewayConfig
from ringway.gateway.server import Gateway
from ringway.gateway.stats import GatewayStats

__all__ = [
    "Backend",
    "HealthChecks",
    "GatewayControl",
    "GatewayReporter",
    "Directory",
    "Gateway",
    "GatewayConfig",
    "OnMove",
    "GatewayStats",
    "read_backends",
]
