"""Ringway scales WebSocket servers horizontally. The client: `Client` for channels, `connect` for bare WebSockets."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ringway.client import (
        Client,
        ClientConfig,
        ClientInfo,
        Connected,
        Disconnected,
        Event,
        Failed,
        Gap,
        History,
        Joined,
        Left,
        Moved,
        PresenceStats,
        Publication,
        Server,
        Socket,
        StreamPosition,
        Subscription,
        connect,
    )
    from ringway.errors import (
        CommandError,
        ConfigError,
        ConnectionClosed,
        Overloaded,
        RingwayError,
        RpcDisconnect,
        RpcError,
        UpgradeError,
    )
    from ringway.rpc import RpcCall
    from ringway.server_methods import ChannelHistory, ServerMethods, StoredPublication

__all__ = [
    "Client",
    "ClientConfig",
    "Publication",
    "Subscription",
    "Joined",
    "Left",
    "History",
    "PresenceStats",
    "ClientInfo",
    "StreamPosition",
    "Connected",
    "Moved",
    "Disconnected",
    "Failed",
    "Gap",
    "Event",
    "connect",
    "Socket",
    "Server",
    "ServerMethods",
    "StoredPublication",
    "ChannelHistory",
    "RingwayError",
    "CommandError",
    "ConfigError",
    "ConnectionClosed",
    "Overloaded",
    "UpgradeError",
    "RpcCall",
    "RpcError",
    "RpcDisconnect",
]

_ELSEWHERE = {
    "RingwayError": "ringway.errors",
    "CommandError": "ringway.errors",
    "ConfigError": "ringway.errors",
    "ConnectionClosed": "ringway.errors",
    "Overloaded": "ringway.errors",
    "UpgradeError": "ringway.errors",
    "RpcError": "ringway.errors",
    "RpcDisconnect": "ringway.errors",
    "RpcCall": "ringway.rpc",
    "ServerMethods": "ringway.server_methods",
    "StoredPublication": "ringway.server_methods",
    "ChannelHistory": "ringway.server_methods",
}
"""The modules of names that are not the client's."""


def __getattr__(name: str) -> Any:
    """Load a name when it is first used: commands and servers import this package and use none of them."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_ELSEWHERE.get(name, "ringway.client")), name)
    globals()[name] = value
    return value
