"""Clients of PyPI's `python-socketio` over WebSocket, with its own reconnection."""

import socketio
from events import Reporter, Send, run

ACK_S = 5


async def start(url: str, reporter: Reporter) -> Send:
    """Connect a client, and keep it connected."""
    client = socketio.AsyncClient()
    client.on("instance", reporter.now_connected)
    client.on("disconnect", lambda reason: reporter.now_disconnected(reason=reason))
    client.on("connect_error", lambda data: reporter.print("error", why=str(data)))

    async def send(n: int) -> str:
        return str(await client.call("echo", n, timeout=ACK_S))

    await client.connect(url, transports=["websocket"])
    return send


if __name__ == "__main__":
    run(start)
