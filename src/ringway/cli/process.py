"""Runs what commands do: a coroutine in an event loop, quiet on Ctrl-C."""

import asyncio
import sys
from collections.abc import Coroutine
from typing import Any, TypeVar

import typer

T = TypeVar("T")


def run_async(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run `coroutine` in a uvloop and return its result. Ctrl-C ends the program with code 130 and no words."""
    import uvloop

    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(coroutine)
    except KeyboardInterrupt:
        if sys.stdout.isatty():
            typer.echo()  # the terminal's own ^C stands alone on its line
        raise typer.Exit(130) from None
