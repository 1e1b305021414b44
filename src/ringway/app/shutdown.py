"""The life of a process: its tasks, the signals that end it, and the ordered steps of its end.

A process runs completely or not at all: if one task fails, the error is logged, the final steps are done, and the exit
code is 1. The first SIGTERM or SIGINT begins the end; a second signal ends at once. SIGTERM comes from an orchestrator
or a service manager, which stops only this process: so a node first leads its clients to other nodes. SIGINT comes from
a person who waits at a terminal: so it is quick. SIGHUP, which comes from an operator, from log rotation or from a
closing terminal, ends nothing: what it renews is up to the process. SIGQUIT is left to the system: it ends the process
at once.
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
"""The least time for each step, if the steps before it have used up the time."""

YOUNG_MAX = 20_000
"""New objects that the garbage collector lets pass before it searches them: more than a round of a leader with 2,000
nodes makes. Cycles are rare here, and nearly all objects end with their last reference."""

T = TypeVar("T")

_log = get_logger()


@dataclass(frozen=True, slots=True)
class Step:
    """One step of an orderly end; `what` completes the sentence "could not ..."."""

    what: str
    take: Callable[[], Awaitable[None]]


async def shut_down(steps: Sequence[Step], deadline_s: float) -> None:
    """Do `steps` in order, all within `deadline_s`. A step that fails or hangs does not stop the next step."""
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
    """A task that runs as long as its process. If it ends by itself, that is a failure, as if it had raised."""

    def __init__(self, name: str, coroutine: Coroutine[Any, Any, None]) -> None:
        self.name = name
        self._coroutine = coroutine
        self._task: asyncio.Task[None] | None = None

    def start(self, group: asyncio.TaskGroup) -> None:
        """Start the task in `group`."""
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
    """Raise the failure of any of the components' own `tasks`. A cancelled task was stopped by its component."""
    running = set(tasks)
    while running:
        ended, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
        for task in ended:
            if not task.cancelled():
                task.result()
                raise RuntimeError(f"the task {task.get_name()!r} ended by itself")
    await asyncio.Event().wait()


class Stop(asyncio.Event):
    """Set when the process is to end. `gentle` is true if there is time to lead clients away first."""

    gentle = False


def log_hangup() -> None:
    """Say that SIGHUP has no effect on this process."""
    _log.info("SIGHUP changes nothing; settings are read at the start")


async def run_until_stopped(
    jobs: Sequence[Job],
    steps: Sequence[Step],
    *,
    deadline_s: float,
    stop: Stop | None = None,
    drain: Callable[[], Awaitable[None]] | None = None,
    on_hangup: Callable[[], None] = log_hangup,
    owns_process: bool = True,
) -> int:
    """Run `jobs` until a signal comes, then do `steps`; return the exit code: 0, or 1 if a job failed.

    On SIGTERM, `drain` runs before the steps, while the jobs still run; it bounds its time itself. On SIGHUP,
    `on_hangup` is called. `stop` is given if the caller already handles the signals (`stop_signals`).

    The objects made at the start live to the end: a full garbage collection would search a hundred thousand of them for
    a tenth of a second, and all traffic would wait. So the collector searches only newer objects, and more of them at a
    time: with Python's own setting it searched the members of the cluster during each round of a leader. It is
    left as it is unless the caller `owns_process`.
    """
    if stop is None:
        with stop_signals(on_hangup) as stop:
            return await run_until_stopped(jobs, steps, deadline_s=deadline_s, stop=stop, drain=drain)
    if owns_process:
        gc.freeze()
        gc.set_threshold(YOUNG_MAX, *gc.get_threshold()[1:])
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
    """Set `stop` if Ctrl-C came before we handled its signal: asyncio then cancels the task at its next wait."""
    task = asyncio.current_task()
    assert task is not None
    try:
        await asyncio.sleep(0)
    except asyncio.CancelledError:
        task.uncancel()
        stop.set()


async def unless_stopped(stop: asyncio.Event, work: Coroutine[Any, Any, T]) -> T | None:
    """Return the result of `work`. If `stop` is set first, cancel the work and return None."""
    tasks = Tasks(leave_to_waiter)
    working = tasks.spawn(work, name="work until stopped")
    stopping = tasks.spawn(stop.wait(), name="stop")
    try:
        await asyncio.wait([working, stopping], return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else None
    finally:
        await tasks.aclose()


@contextmanager
def stop_signals(on_hangup: Callable[[], None] = log_hangup) -> Iterator[Stop]:
    """Yield an event that the first SIGINT or SIGTERM sets; a second signal ends the process at once.

    SIGHUP calls `on_hangup`, also one that came before and was blocked until now (`cli.entry`). A signal that is
    ignored at the start, as by `nohup`, stays ignored.
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
        loop.add_signal_handler(signal.SIGHUP, on_hangup)
        signals.append(signal.SIGHUP)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGHUP])
    try:
        yield stop
    finally:
        for number in signals:
            loop.remove_signal_handler(number)
