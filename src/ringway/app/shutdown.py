"""The life of a process: its tasks, the signals that end it, and the steps of its end, in order.

A process is whole or gone: where one task fails, the error is logged, the steps of the end are taken, and the exit
code is 1. The first SIGTERM or SIGINT begins the end; a second one ends at once. Who sends SIGTERM (an orchestrator, a
service manager) stops this process and means to keep the others, so a node leads its clients to them first. Who presses
Ctrl-C waits at a terminal: SIGINT is quick. SIGHUP, which comes from log rotation or a terminal that closes, ends
nothing. SIGQUIT is the system's: it ends the process on the spot.
"""

import asyncio
import gc
import os
import signal
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from ringway.logger import get_logger
from ringway.tasks import Tasks, leave_to_waiter

LAST_CHANCE_S = 0.5
"""What each step gets at least, where those before it have used up the time."""

T = TypeVar("T")

_log = get_logger()


@dataclass(frozen=True, slots=True)
class Step:
    """One step of an orderly end; `what` completes the sentence "could not ..."."""

    what: str
    take: Callable[[], Awaitable[None]]


async def shut_down(steps: Sequence[Step], deadline_s: float) -> None:
    """Take `steps` in their order, all within `deadline_s`. A step that fails or hangs does not stop the next."""
    loop = asyncio.get_running_loop()
    end = loop.time() + deadline_s
    for step in steps:
        try:
            async with asyncio.timeout_at(max(end, loop.time() + LAST_CHANCE_S)):
                await step.take()
        except TimeoutError:
            _log.warning(f"could not {step.what} in time")
        except Exception:
            _log.exception(f"could not {step.what}")


class Job:
    """A task that runs as long as its process. That it ends by itself is a failure as much as that it raises."""

    def __init__(self, name: str, coroutine: Coroutine[Any, Any, None]) -> None:
        self.name = name
        self._coroutine = coroutine
        self._task: asyncio.Task[None] | None = None

    def start(self, group: asyncio.TaskGroup) -> None:
        """Begin, as a task of `group`."""
        self._task = group.create_task(self._run(), name=self.name)

    async def stop(self) -> None:
        """Cancel the task, and return when it has ended. Idempotent."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        await self._coroutine
        raise RuntimeError(f"the task {self.name!r} ended by itself")


async def watch(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Raise what one of the components' own `tasks` failed with. That one is cancelled is its component's stop."""
    running = set(tasks)
    while running:
        ended, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
        for task in ended:
            if not task.cancelled():
                task.result()
                raise RuntimeError(f"the task {task.get_name()!r} ended by itself")
    await asyncio.Event().wait()


class Stop(asyncio.Event):
    """Set when the process is to end; `gentle` where there is time to lead clients away before."""

    gentle = False


async def run_until_stopped(
    jobs: Sequence[Job],
    steps: Sequence[Step],
    *,
    deadline_s: float,
    stop: Stop | None = None,
    drain: Callable[[], Awaitable[None]] | None = None,
) -> int:
    """Run `jobs` until a signal comes, then take `steps`; return the exit code: 0, or 1 where a job failed.

    `drain` goes before the steps on SIGTERM, while the jobs still run; it bounds its time itself. `stop` is given where
    the caller has taken the signals over already (`stop_signals`).

    What the start has made stays: a hundred thousand objects, which a full garbage collection would look through for
    a tenth of a second, with all traffic waiting. So the collector is told to look at what comes after them alone.
    """
    if stop is None:
        with stop_signals() as stop:
            return await run_until_stopped(jobs, steps, deadline_s=deadline_s, stop=stop, drain=drain)
    gc.freeze()
    code = 0
    try:
        async with asyncio.TaskGroup() as group:
            for job in jobs:
                job.start(group)
            await _heed_earlier(stop)
            await stop.wait()
            if stop.gentle and drain is not None:
                await drain()
            _log.info("stopping")
            await shut_down(steps, deadline_s)
            for job in jobs:
                await job.stop()
    except* Exception as failures:
        code = 1
        for failure in failures.exceptions:
            _log.error("a task failed; the process ends", exc_info=failure)
    if code:
        await shut_down(steps, deadline_s)
    _log.info("stopped", exit_code=code)
    return code


async def _heed_earlier(stop: Stop) -> None:
    """Set `stop` where Ctrl-C came before its signal was taken over: asyncio then cancels the task at its next wait."""
    task = asyncio.current_task()
    assert task is not None
    try:
        await asyncio.sleep(0)
    except asyncio.CancelledError:
        task.uncancel()
        stop.set()


async def unless_stopped(stop: asyncio.Event, work: Coroutine[Any, Any, T]) -> T | None:
    """Return what `work` does; where `stop` is set before it is done, cancel it and return None."""
    tasks = Tasks(leave_to_waiter)
    working = tasks.spawn(work, name="work until stopped")
    stopping = tasks.spawn(stop.wait(), name="stop")
    try:
        await asyncio.wait([working, stopping], return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else None
    finally:
        await tasks.aclose()


@contextmanager
def stop_signals() -> Iterator[Stop]:
    """Give what is set at the first SIGINT or SIGTERM; a second ends the process at once. SIGHUP is only logged.

    One that is ignored from the start on, as by `nohup`, stays so.
    """
    loop = asyncio.get_running_loop()
    signals = [signal.SIGINT, signal.SIGTERM]
    seen: list[int] = []
    stop = Stop()

    def caught(number: int) -> None:
        seen.append(number)
        if len(seen) > 1:
            os._exit(128 + number)
        stop.gentle = number == signal.SIGTERM
        stop.set()

    for number in signals:
        loop.add_signal_handler(number, caught, number)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        loop.add_signal_handler(signal.SIGHUP, _log.info, "SIGHUP changes nothing; settings are read at the start")
        signals.append(signal.SIGHUP)
    try:
        yield stop
    finally:
        for number in signals:
            loop.remove_signal_handler(number)
