"""Ringway scales WebSocket servers horizontally. The client: `Client` for channels, `connect` for bare WebSockets."""

from ringway.client import (
    Client,
    ClientConfig,
    Connected,
    Disconnected,
    Event,
    Failed,
    Moved,
    Publication,
    Socket,
    Subscription,
    connect,
)
from ringway.errors import CommandError, ConfigError, ConnectionClosed, Overloaded, RingwayError, UpgradeError

__all__ = [
    "Client",
    "ClientConfig",
    "Publication",
    "Subscription",
    "Connected",
    "Moved",
    "Disconnected",
    "Failed",
    "Event",
    "connect",
    "Socket",
    "RingwayError",
    "CommandError",
    "ConfigError",
    "ConnectionClosed",
    "Overloaded",
    "UpgradeError",
]
