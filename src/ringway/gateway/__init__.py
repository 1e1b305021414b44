"""The front door: discovery, health, and WebSockets carried to nodes. See `server.Gateway`."""

from ringway.gateway.cluster.backends import Backend, OnMove, read_backends
from ringway.gateway.cluster.control import Control
from ringway.gateway.cluster.directory import Directory
from ringway.gateway.cluster.health import Checks
from ringway.gateway.config.gateway import GatewayConfig
from ringway.gateway.server import Gateway
from ringway.gateway.stats import Stats

__all__ = ["Backend", "Checks", "Control", "Directory", "Gateway", "GatewayConfig", "OnMove", "Stats", "read_backends"]
