"""The Python client: channels by `Client`, bare WebSockets by `connect`."""

from ringway.client.client import Client
from ringway.client.config import ClientConfig
from ringway.client.connect import connect
from ringway.client.event import Connected, Disconnected, Event, Failed, Moved
from ringway.client.socket import Socket
from ringway.client.subscription import Publication, Subscription

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
]
