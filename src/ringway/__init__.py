"""Ringway scales WebSocket servers horizontally. The client: `Client` for channels, `connect` for bare WebSockets."""

from ringway.client import (
    Client,
    ClientConfig,
    Connected,
    Disconnected,
    Event,
    Failed,
    Publication,
    Socket,
    Subscription,
    connect,
)

__all__ = [
    "Client",
    "ClientConfig",
    "Publication",
    "Subscription",
    "Connected",
    "Disconnected",
    "Failed",
    "Event",
    "connect",
    "Socket",
]
