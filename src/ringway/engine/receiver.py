"""Calls whoever wants to know of something."""

from collections.abc import Callable, Iterable

import structlog

_log = structlog.get_logger()


def call_each(receivers: Iterable[Callable[[], None]]) -> None:
    """Call each of `receivers`. The fault of one is logged, and ends neither the others nor who tells them."""
    for receiver in receivers:
        try:
            receiver()
        except Exception:
            _log.exception("a receiver of the engine's return failed")
