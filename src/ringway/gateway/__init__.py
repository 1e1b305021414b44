"""The front door: discovery, health, and WebSockets carried to nodes. See `server.Gateway`."""

from ringway.gateway.backends import Backend, OnMove, read_backends
from ringway.gateway.config import GatewayConfig
from ringway.gateway.control import Control
from ringway.gateway.directory import Directory
from ringway.gateway.health import Checks
from ringway.gateway.server import Gateway
from ringway.gateway.stats import Stats

__all__ = ["Backend", "Checks", "Control", "Directory", "Gateway", "GatewayConfig", "OnMove", "Stats", "read_backends"]
