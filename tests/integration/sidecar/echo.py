"""A FastAPI application that knows nothing of Ringway: it echoes, and is unhealthy while the file `ILL` is there."""

import os
from pathlib import Path

from fastapi import FastAPI, Response, WebSocket
from starlette.websockets import WebSocketDisconnect

app = FastAPI()


@app.get("/healthz")
async def healthz() -> Response:
    return Response(status_code=503 if Path(os.environ.get("ILL", "/nonexistent")).exists() else 204)


@app.websocket("/{path:path}")
async def echo(socket: WebSocket) -> None:
    await socket.accept()
    try:
        while True:
            await socket.send_text(await socket.receive_text())
    except WebSocketDisconnect:
        return
