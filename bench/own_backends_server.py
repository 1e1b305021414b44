"""Server of the benchmark of backends: FastAPI on uvicorn, which knows nothing of Ringway.

    INSTANCE=a uvicorn own_backends_server:app

It answers each question after 50 ms, with the name of the instance. GET /accepts tells how many handshakes it accepted,
and the most of them within one second.
"""

import asyncio
import os
import time

from fastapi import FastAPI, WebSocket, WebSocketDisconnect

INSTANCE = os.environ["INSTANCE"]
ANSWER_S = 0.05

app = FastAPI()
accepted_at: list[float] = []


@app.get("/healthz")
async def healthz() -> dict[str, str]:
    """Answer the health check."""
    return {"instance": INSTANCE}


@app.get("/accepts")
async def accepts() -> dict[str, int]:
    """Return the number of accepted handshakes, and the peak within one second."""
    peak, start = 0, 0
    for index, at in enumerate(accepted_at):
        while accepted_at[start] <= at - 1:
            start += 1
        peak = max(peak, index - start + 1)
    return {"accepted": len(accepted_at), "peak": peak}


@app.websocket("/ask")
async def ask(websocket: WebSocket) -> None:
    """Answer each question after a while."""
    await websocket.accept()
    accepted_at.append(time.monotonic())
    try:
        while True:
            question = await websocket.receive_json()
            await asyncio.sleep(ANSWER_S)
            await websocket.send_json({"n": question["n"], "instance": INSTANCE})
    except WebSocketDisconnect:
        pass
