"""A Socket.IO server with its default transports: polling first, then the upgrade. It names itself in each answer.

Run it by uvicorn with its name in ECHO_NAME.
"""

import os

import socketio

sio = socketio.AsyncServer(async_mode="asgi")
app = socketio.ASGIApp(sio)


@sio.event
async def echo(sid: str, n: int) -> str:
    """Answer one message."""
    return os.environ["ECHO_NAME"]
