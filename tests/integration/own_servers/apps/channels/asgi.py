"""Django Channels application that echoes JSON after 50 ms: INSTANCE=a daphne -p 9000 asgi:application."""

import asyncio
import os
from typing import Any

import django
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from channels.routing import ProtocolTypeRouter, URLRouter
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import path

INSTANCE = os.environ["INSTANCE"]

settings.configure(ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, SECRET_KEY="of this test")
django.setup()


class Echo(AsyncJsonWebsocketConsumer):
    """Greets, and echoes each message."""

    async def connect(self) -> None:
        """Accept the connection."""
        await self.accept()
        await self.send_json({"instance": INSTANCE})

    async def receive_json(self, content: dict[str, Any], **_: object) -> None:
        """Echo one message."""
        await asyncio.sleep(0.05)
        await self.send_json({"instance": INSTANCE, "n": content["n"]})


def healthz(request: HttpRequest) -> HttpResponse:
    """Answer the health check."""
    return HttpResponse(INSTANCE)


urlpatterns = [path("healthz", healthz)]
application = ProtocolTypeRouter(
    {
        "http": get_asgi_application(),
        "websocket": URLRouter([path("echo", Echo.as_asgi())]),
    }
)
