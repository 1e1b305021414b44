"""python-socketio server that acknowledges after 50 ms: INSTANCE=a uvicorn server:app --port 9000."""

import asyncio
import os

import socketio

INSTANCE = os.environ["INSTANCE"]

sio = socketio.AsyncServer(async_mode="asgi", transports=["websocket"])
app = socketio.ASGIApp(sio)


@sio.event
async def connect(sid: str, environ: dict[str, object]) -> None:
    """Greet a client."""
    await sio.emit("instance", INSTANCE, to=sid)


@sio.event
async def echo(sid: str, n: int) -> str:
    """Acknowledge one message."""
    await asyncio.sleep(0.05)
    return INSTANCE
