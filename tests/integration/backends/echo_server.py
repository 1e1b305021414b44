"""An application that knows nothing of Ringway: an echo by WebSocket that takes 50 ms for each answer.

Run it by uvicorn with its name in ECHO_NAME. It answers `NAME TEXT`.
"""

import asyncio
import os
from typing import Any

HANDLER_S = 0.05


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Serve one WebSocket (ASGI)."""
    if scope["type"] != "websocket":
        return
    await receive()
    await send({"type": "websocket.accept"})
    while (event := await receive())["type"] == "websocket.receive":
        await asyncio.sleep(HANDLER_S)
        await send({"type": "websocket.send", "text": f"{os.environ['ECHO_NAME']} {event['text']}"})
