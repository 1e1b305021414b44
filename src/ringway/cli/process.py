"""Runners of commands: a coroutine in an event loop, quiet on Ctrl-C; and processes with a log."""

import asyncio
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn, TypeVar

from ringway.app.config import Loaded
from ringway.app.log import open_log
from ringway.app.log_writer import LogWriter
from ringway.cli.command import Exit
from ringway.cli.terminal import say
from ringway.errors import RingwayError
from ringway.logger import get_logger

T = TypeVar("T")


def run_async(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run `coroutine` in a uvloop and return its result.

    Ctrl-C ends the program with code 130, SIGTERM with 143, both without a message, after the coroutine has cleaned up.
    """
    import uvloop

    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(_unless_told(coroutine))
    except KeyboardInterrupt:
        if sys.stdout is not None and sys.stdout.isatty():
            say("")  # the terminal's own ^C gets a line of its own
        raise Exit(130) from None


async def _unless_told(coroutine: Coroutine[Any, Any, T]) -> T:
    """Return the result of `coroutine`; on SIGTERM cancel it and exit. A ready process handles it itself."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    told = False

    def tell_it() -> None:
        nonlocal told
        told = True
        task.cancel()

    loop.add_signal_handler(signal.SIGTERM, tell_it)
    try:
        return await coroutine
    except asyncio.CancelledError:
        if told:
            raise Exit(128 + signal.SIGTERM) from None
        raise
    finally:
        loop.remove_signal_handler(signal.SIGTERM)


def run_process(
    loaded: Loaded, work: Callable[[LogWriter], Coroutine[Any, Any, int]], descriptor: int | None = None
) -> NoReturn:
    """Run `work` with its log open, on stderr or `descriptor`, and exit with its code; 1 after an unexpected error."""
    with open_log(loaded.config.log, descriptor) as log:
        if loaded.service_links:
            links = " ".join(loaded.service_links)
            get_logger().info("variables that Kubernetes makes for its Services set nothing", names=links)
        try:
            code = run_async(work(log))
        except (RingwayError, Exit):
            raise
        except Exception:
            get_logger().exception("the process ends by a fault of its own")
            code = 1
    raise Exit(code)
