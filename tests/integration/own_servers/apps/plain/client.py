"""Clients of a server that echoes JSON: PyPI's `websockets`, with its own loop that connects again."""

import asyncio
import json

from events import Reporter, Send, run
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

ANSWER_S = 5


class Client:
    """One client. A message is lost if its connection ends before the answer, or there is none for `ANSWER_S`."""

    def __init__(self, url: str, reporter: Reporter) -> None:
        self._url = url
        self._reporter = reporter
        self._socket: ClientConnection | None = None
        self._asked: dict[int, asyncio.Future[str]] = {}

    async def stay_connected(self) -> None:
        """Connect whenever there is no connection."""
        async for socket in connect(self._url, proxy=None):
            self._socket = socket
            try:
                async for message in socket:
                    self._on_message(json.loads(message))
            except ConnectionClosed:
                pass
            self._reporter.now_disconnected(code=socket.close_code, reason=socket.close_reason)
            for asked in self._asked.values():
                asked.set_exception(ConnectionError("the connection ended"))
            self._asked.clear()

    def _on_message(self, message: dict[str, object]) -> None:
        instance, n = str(message["instance"]), message.get("n")
        if n is None:  # a greeting
            self._reporter.now_connected(instance)
        else:
            if (asked := self._asked.pop(int(str(n)), None)) is not None:
                asked.set_result(instance)

    async def send(self, n: int) -> str:
        """Send a message; return the name of the instance that echoed it."""
        assert self._socket is not None
        self._asked[n] = asyncio.get_running_loop().create_future()
        answer = self._asked[n]
        await self._socket.send(json.dumps({"n": n}))
        try:
            async with asyncio.timeout(ANSWER_S):
                return await answer
        except TimeoutError:
            del self._asked[n]
            raise TimeoutError(f"no answer within {ANSWER_S} s") from None


tasks = set()


async def start(url: str, reporter: Reporter) -> Send:
    """Connect a client, and keep it connected."""
    client = Client(url, reporter)
    tasks.add(asyncio.create_task(client.stay_connected()))
    return client.send


if __name__ == "__main__":
    run(start)
