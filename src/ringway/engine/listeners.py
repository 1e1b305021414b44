"""Listeners of an engine's return, called so that a fault in a listener has no effect on the others."""

from collections.abc import Callable, Iterable

from ringway.logger import get_logger

_log = get_logger()


def call_listeners(listeners: Iterable[Callable[[], None]]) -> None:
    """Call each of `listeners`. An exception in a listener is logged, and reaches neither the others nor the caller."""
    for listener in listeners:
        try:
            listener()
        except Exception:
            _log.exception("a listener of the engine's return failed")
