"""FastAPI application that echoes JSON after 50 ms: INSTANCE=a uvicorn app:app --port 9000."""

import asyncio
import os

from fastapi import FastAPI, WebSocket, WebSocketDisconnect

INSTANCE = os.environ["INSTANCE"]

app = FastAPI()


@app.get("/healthz")
async def healthz() -> dict[str, str]:
    """Answer the health check."""
    return {"instance": INSTANCE}


@app.websocket("/echo")
async def echo(websocket: WebSocket) -> None:
    """Greet, and echo each message."""
    await websocket.accept()
    await websocket.send_json({"instance": INSTANCE})
    try:
        while True:
            message = await websocket.receive_json()
            await asyncio.sleep(0.05)
            await websocket.send_json({"instance": INSTANCE, "n": message["n"]})
    except WebSocketDisconnect:
        pass
