"""Functions that tests name in `call:`."""

import threading

released = threading.Event()
"""The event for which `hang` waits."""

values: dict[str, object] = {}
"""The results of `given`, by node."""


def given(node):
    value = values[node.name]
    if isinstance(value, Exception):
        raise value
    return value


def hang(node):
    released.wait(60)
    return 1.0


async def hang_soon(node):
    import asyncio

    await asyncio.Event().wait()
