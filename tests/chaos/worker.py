"""A worker process of a run: it answers questions over a pipe; `Worker` is its far end, `Process` its near end.

The process runs an event loop; questions are `(name, *arguments)` and are answered one after the other by the method
of that name.
"""

import asyncio
import gc
import multiprocessing
import resource
import traceback
from collections.abc import Callable, Coroutine
from multiprocessing.connection import Connection
from typing import Any

import uvloop

ANSWER_S = 120.0
TROUBLES_MAX = 3


class Worker:
    """The far end: subclasses have the methods that answer. Tasks that they `spawn` end with the process."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self.troubles: list[str] = []

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run `work`; its exceptions are stored in `troubles`, which end the run as a fault of the harness."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None and len(self.troubles) < TROUBLES_MAX:
            self.troubles.append("".join(traceback.format_exception(error))[-1500:])

    async def serve(self, pipe: Connection) -> None:
        """Answer questions until the near end closes."""
        try:
            while True:
                # In a thread: uvloop would make the pipe non-blocking, and the pipe's own methods would fail.
                name, *arguments = await asyncio.to_thread(pipe.recv)
                pipe.send(getattr(self, name)(*arguments))
        except (EOFError, BrokenPipeError):
            return  # the run is over
        finally:
            for task in tuple(self._tasks):
                task.cancel()


def _main(make: Callable[..., Worker], arguments: tuple[Any, ...], pipe: Connection) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    gc.disable()  # a pause of the collector would count as a silence of the servers; runs are short

    async def run() -> None:
        await make(*arguments).serve(pipe)

    uvloop.run(run())


class Process:
    """The near end of a worker."""

    def __init__(self, make: Callable[..., Worker], *arguments: Any) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, there = context.Pipe()
        self._process = context.Process(target=_main, args=(make, arguments, there), daemon=True)
        self._process.start()
        there.close()

    def ask(self, name: str, *arguments: Any) -> Any:
        """Return the answer to one question; raise `RuntimeError` if the process does not answer."""
        self.tell(name, *arguments)
        return self.answer(name)

    def tell(self, name: str, *arguments: Any) -> None:
        """Send a question; `fetch` returns the answer later."""
        self._pipe.send((name, *arguments))

    def answer(self, name: str) -> Any:
        """Return the answer to the last question."""
        try:
            if self._pipe.poll(ANSWER_S):
                return self._pipe.recv()
        except EOFError:
            raise RuntimeError(f"the process that was asked for {name!r} has ended") from None
        raise RuntimeError(f"no answer to {name!r} within {ANSWER_S:g} s")

    def end(self) -> None:
        """End the process."""
        self._pipe.close()
        self._process.join(10)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
