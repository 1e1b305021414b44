"""The Python client: channels by `Client`, bare WebSockets by `connect`."""

from ringway.client.answer import History, PresenceStats, StreamPosition
from ringway.client.client import Client
from ringway.client.config import ClientConfig
from ringway.client.connect import connect
from ringway.client.event import Connected, Disconnected, Event, Failed, Gap, Moved
from ringway.client.server import Server
from ringway.client.socket import Socket
from ringway.client.subscription import Joined, Left, Publication, Subscription
from ringway.protocol.command import ClientInfo

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
]
