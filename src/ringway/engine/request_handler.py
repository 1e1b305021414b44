"""Runs the handler of one served address: bounded, with no task left behind."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from ringway.errors import ProtocolError
from ringway.ports import Handler

Reply = Callable[[bool, bytes], None]
"""Takes an answer: True and the handler's bytes, or False and why there is none."""

RUNNING_MAX = 1024
"""How many requests of one address may be in work at once; further ones are refused at once."""

CLOSE_S = 5.0
"""How long closing waits for requests in work before it cancels them."""

_log = structlog.get_logger()


class Work:
    """Answers each request with the handler in a task of its own, which `close` awaits."""

    def __init__(self, address: str, handler: Handler) -> None:
        self._address = address
        self._handler = handler
        self._running: set[asyncio.Task[None]] = set()

    def take(self, request: bytes, reply: Reply) -> None:
        """Begin to work on `request`; `reply` is called once, unless closing cancels the work."""
        if len(self._running) >= RUNNING_MAX:
            reply(False, f"{RUNNING_MAX} requests to {self._address} are in work already".encode())
            return
        task = asyncio.get_running_loop().create_task(self._run(request, reply))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _run(self, request: bytes, reply: Reply) -> None:
        answer: Awaitable[bytes] = self._handler(request)
        try:
            reply(True, await answer)
        except ProtocolError as error:
            reply(False, str(error).encode(errors="replace"))  # the caller's fault, and told to it alone
        except Exception as error:
            # A handler's fault must not take the engine down: it is logged here, and told to the caller.
            _log.exception("bus handler failed", address=self._address)
            reply(False, f"{type(error).__name__}: {error}".encode())

    async def close(self) -> None:
        """Wait for the requests in work, then cancel what is left. A handler may close its own address."""
        others = self._running - {asyncio.current_task()}
        if not others:
            return
        _, late = await asyncio.wait(others, timeout=CLOSE_S)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
