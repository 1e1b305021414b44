import asyncio
import gc
import os
import signal

import pytest

from ringway.app import shutdown
from ringway.app.shutdown import Job, Step, run_until_stopped, shut_down, unless_stopped, watch


class Diary:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def step(self, what: str, error: Exception | None = None, hangs: bool = False) -> Step:
        async def take() -> None:
            self.lines.append(what)
            if hangs:
                await asyncio.Event().wait()
            if error is not None:
                raise error

        return Step(what, take)


@pytest.fixture(autouse=True)
def unfrozen():
    thresholds = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*thresholds)


async def _forever() -> None:
    await asyncio.Event().wait()


async def _fail() -> None:
    raise ValueError("broken")


async def test_steps_are_taken_in_order_whatever_happens_in_one(monkeypatch):
    monkeypatch.setattr(shutdown, "LAST_CHANCE_S", 0.01)
    diary = Diary()
    steps = [diary.step("first", ValueError()), diary.step("second", hangs=True), diary.step("third")]
    await shut_down(steps, deadline_s=0.0)
    assert diary.lines == ["first", "second", "third"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_the_process_in_order(number):
    diary = Diary()
    asyncio.get_running_loop().call_soon(os.kill, os.getpid(), number)
    job = Job("work", _forever())
    steps = [diary.step("leave"), Step("stop the work", job.stop), diary.step("close")]
    assert await run_until_stopped([job], steps, deadline_s=5) == 0
    assert diary.lines == ["leave", "close"]


async def test_what_a_leaders_round_makes_is_not_searched_for_garbage():
    searched: list[str] = []

    async def make_objects() -> None:
        gc.callbacks.append(lambda phase, info: searched.append(phase))
        made = [[] for _ in range(10_000)]
        gc.callbacks.pop()
        del made
        os.kill(os.getpid(), signal.SIGINT)
        await _forever()

    gc.collect()
    job = Job("work", make_objects())
    assert await run_until_stopped([job], [Step("stop the work", job.stop)], deadline_s=5) == 0
    assert searched == []


async def test_a_ctrl_c_that_came_before_the_signals_were_taken_over_ends_the_process_in_order_too():
    diary = Diary()
    job = Job("work", _forever())
    steps = [diary.step("leave"), Step("stop the work", job.stop), diary.step("close")]
    asyncio.current_task().cancel()  # as `asyncio.Runner` does it on SIGINT
    assert await run_until_stopped([job], steps, deadline_s=5) == 0
    assert diary.lines == ["leave", "close"]
    assert asyncio.current_task().cancelling() == 0


@pytest.mark.parametrize(
    ("number", "lines"),
    [(signal.SIGTERM, ["drain", "leave"]), (signal.SIGINT, ["leave"])],
)
async def test_only_sigterm_drains_and_it_does_so_before_the_steps(number, lines):
    diary = Diary()
    asyncio.get_running_loop().call_soon(os.kill, os.getpid(), number)
    job = Job("work", _forever())
    steps = [diary.step("leave"), Step("stop the work", job.stop)]
    assert await run_until_stopped([job], steps, deadline_s=5, drain=diary.step("drain").take) == 0
    assert diary.lines == lines


async def test_a_job_that_fails_during_the_drain_ends_it():
    diary = Diary()
    loop = asyncio.get_running_loop()
    loop.call_soon(os.kill, os.getpid(), signal.SIGTERM)

    async def fail_later() -> None:
        while not diary.lines:
            await asyncio.sleep(0.01)
        raise ValueError("broken")

    drain = diary.step("drain", hangs=True).take
    assert await run_until_stopped([Job("bad", fail_later())], [diary.step("leave")], deadline_s=5, drain=drain) == 1
    assert diary.lines == ["drain", "leave"]


async def test_a_failed_job_takes_the_steps_and_the_exit_code_is_1():
    diary = Diary()
    jobs = [Job("good", _forever()), Job("bad", _fail())]
    assert await run_until_stopped(jobs, [diary.step("leave")], deadline_s=5) == 1
    assert diary.lines == ["leave"]


async def test_a_job_that_ends_by_itself_has_failed():
    assert await run_until_stopped([Job("short", asyncio.sleep(0))], [], deadline_s=5) == 1


async def test_watching_tells_a_failure_and_an_end_but_no_cancellation():
    async with asyncio.timeout(30):
        failing = asyncio.create_task(_fail())
        with pytest.raises(ValueError, match="broken"):
            await watch([failing])
        ending = asyncio.create_task(asyncio.sleep(0))
        with pytest.raises(RuntimeError, match="ended by itself"):
            await watch([ending])
    stopped = asyncio.create_task(_forever())
    watching = asyncio.create_task(watch([stopped]))
    stopped.cancel()
    await asyncio.wait([stopped, watching], timeout=0.05)
    assert stopped.cancelled()
    assert not watching.done()
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)


async def test_work_is_done_unless_it_is_stopped_before():
    async def work() -> str:
        return "done"

    stop = asyncio.Event()
    assert await unless_stopped(stop, work()) == "done"
    with pytest.raises(ValueError, match="broken"):
        await unless_stopped(stop, _fail())
    asyncio.get_running_loop().call_soon(stop.set)
    assert await unless_stopped(stop, _forever()) is None


async def test_what_the_start_has_made_is_no_work_for_the_garbage_collector():
    frozen = []

    async def look() -> None:
        frozen.append(gc.get_freeze_count())
        await asyncio.Event().wait()

    asyncio.get_running_loop().call_later(0.01, os.kill, os.getpid(), signal.SIGTERM)
    job = Job("work", look())
    assert await run_until_stopped([job], [Step("stop the work", job.stop)], deadline_s=5) == 0
    assert frozen[0] > 0
