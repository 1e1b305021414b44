"""Background tasks of one owner: each has a name, a failure is reported, and none is left when the owner ends.

This is the only file that calls `create_task`, beside the task groups of `asyncio`.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, TypeVar

T = TypeVar("T")

OnFailure = Callable[[asyncio.Task[Any], BaseException], None]
"""Called in the loop, once for each task that ends with an exception."""


def report(task: asyncio.Task[Any], error: BaseException) -> None:
    """Give the failure to the event loop's exception handler, which logs it."""
    task.get_loop().call_exception_handler(
        {"message": f"task {task.get_name()!r} failed", "exception": error, "task": task}
    )


def leave_to_waiter(task: asyncio.Task[Any], error: BaseException) -> None:
    """Do nothing: somebody awaits each of these tasks, and handles its failure."""


class Tasks:
    """The running tasks of one owner. Not thread-safe: belongs to one event loop.

    `on_failure` decides what a failure means; cancellation is none. There is no maximum: an owner that starts tasks for
    strangers bounds them by `len`.
    """

    __slots__ = ("_on_failure", "_running")

    def __init__(self, on_failure: OnFailure = report) -> None:
        self._on_failure = on_failure
        self._running: set[asyncio.Task[Any]] = set()

    def spawn(self, work: Coroutine[Any, Any, T], *, name: str) -> asyncio.Task[T]:
        """Start `work` in the running loop, and keep it until it ends."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._running.add(task)
        task.add_done_callback(self._on_done)
        return task

    def __len__(self) -> int:
        return len(self._running)

    def __iter__(self) -> Iterator[asyncio.Task[Any]]:
        """The running tasks, as of now."""
        return iter(tuple(self._running))

    async def aclose(self, grace_s: float = 0.0) -> None:
        """Wait up to `grace_s` for the tasks, cancel the rest, and return when all have ended.

        May be called by one of the tasks: that one is neither cancelled nor waited for.
        """
        others = self._running - {asyncio.current_task()}
        if others and grace_s > 0:
            _, others = await asyncio.wait(others, timeout=grace_s)
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def _on_done(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._on_failure(task, error)


async def work_in_slices(work: Callable[[], bool]) -> None:
    """Call `work`, which does a few milliseconds of its work, until it returns False; others have turns in between."""
    more = work()
    while more:
        await asyncio.sleep(0)
        more = work()
