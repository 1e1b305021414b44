"""Fake time."""

import asyncio
import time

import pytest

from ringway.testing.clock import run_in_fake_time


def test_a_day_passes_at_once_and_in_order() -> None:
    async def main() -> list[tuple[float, str]]:
        loop = asyncio.get_running_loop()
        log: list[tuple[float, str]] = []

        async def wait(seconds: float, what: str) -> None:
            await asyncio.sleep(seconds)
            log.append((loop.time(), what))

        async with asyncio.TaskGroup() as group:
            group.create_task(wait(86_400, "day"))
            group.create_task(wait(3600, "hour"))
            group.create_task(wait(60, "minute"))
        return log

    began = time.monotonic()
    log = run_in_fake_time(main())
    assert [(round(at), what) for at, what in log] == [(60, "minute"), (3600, "hour"), (86_400, "day")]
    assert time.monotonic() - began < 60


def test_deadlines_pass_too() -> None:
    async def main() -> None:
        async with asyncio.timeout(1000):
            await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        run_in_fake_time(main())


def test_waiting_for_what_never_happens_is_an_error() -> None:
    async def main() -> None:
        await asyncio.Event().wait()

    with pytest.raises(RuntimeError, match="nothing will ever happen"):
        run_in_fake_time(main())
