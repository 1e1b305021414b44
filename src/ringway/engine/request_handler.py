"""Handler of requests to a served address: in tasks of bounded number, which all end when the address closes."""

from collections.abc import Awaitable, Callable

from ringway.errors import ProtocolError
from ringway.logger import get_logger
from ringway.ports import Handler
from ringway.tasks import Tasks

Reply = Callable[[bool, bytes], None]
"""Receives an answer: True and the handler's bytes, or False and the reason of the failure."""

RUNNING_MAX = 1024
"""Requests of an address in work at the same time; further requests are refused at once."""

CLOSE_S = 5.0
"""The time for which closing waits for requests in work before it cancels them."""

_log = get_logger()


class RequestHandler:
    """Runs `handler` for each request to `address`, in a task of its own; `close` awaits the tasks."""

    def __init__(self, address: str, handler: Handler) -> None:
        self._address = address
        self._handler = handler
        self._task_name = f"request to {address}"
        self._tasks = Tasks()

    def start_request(self, request: bytes, reply: Reply) -> None:
        """Start the work on `request`; `reply` is called once.

        It is not called if the handler answers nothing, or closing cancels the work.
        """
        if len(self._tasks) >= RUNNING_MAX:
            reply(False, f"{RUNNING_MAX} requests to {self._address} are in work already".encode())
            return
        self._tasks.spawn(self._run(request, reply), name=self._task_name)

    async def _run(self, request: bytes, reply: Reply) -> None:
        handling: Awaitable[bytes | None] = self._handler(request)
        try:
            answer = await handling
            if answer is not None:
                reply(True, answer)
        except ProtocolError as error:
            reply(False, str(error).encode(errors="replace"))  # the caller's fault, so only the caller is informed
        except Exception as error:
            # A fault of the handler must not end the engine: it is logged here, and reported to the caller.
            _log.exception("bus handler failed", address=self._address)
            reply(False, f"{type(error).__name__}: {error}".encode())

    async def close(self) -> None:
        """Wait up to `CLOSE_S` for the requests in work, then cancel the rest. A handler may close its own address."""
        await self._tasks.aclose(CLOSE_S)
