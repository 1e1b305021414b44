import asyncio
from typing import Any

from ringway.tasks import Tasks, leave_to_waiter


async def answer() -> int:
    return 42


async def fail() -> None:
    raise ValueError("broken")


async def test_a_task_has_its_name_and_its_result_and_is_forgotten() -> None:
    tasks = Tasks()
    task = tasks.spawn(answer(), name="answer")
    assert (task.get_name(), len(tasks), list(tasks)) == ("answer", 1, [task])
    assert await task == 42
    await asyncio.sleep(0)
    assert len(tasks) == 0


async def test_a_failure_goes_to_the_handler_of_the_loop() -> None:
    told: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    tasks = Tasks()
    task = tasks.spawn(fail(), name="sweeper")
    await asyncio.wait([task])
    await asyncio.sleep(0)
    assert [(each["message"], str(each["exception"])) for each in told] == [("task 'sweeper' failed", "broken")]


async def test_its_owner_may_decide_what_a_failure_means() -> None:
    told: list[str] = []
    tasks = Tasks(lambda task, error: told.append(f"{task.get_name()}: {error}"))
    await asyncio.wait([tasks.spawn(fail(), name="one"), Tasks(leave_to_waiter).spawn(fail(), name="other")])
    await asyncio.sleep(0)
    assert told == ["one: broken"]


async def test_closing_waits_for_who_is_nearly_done_and_cancels_the_rest() -> None:
    tasks = Tasks()
    started, ended = asyncio.Event(), []

    async def soon() -> None:
        await started.wait()
        ended.append("soon")

    async def never() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("never")

    tasks.spawn(soon(), name="soon")
    tasks.spawn(never(), name="never")
    await asyncio.sleep(0)
    started.set()
    await tasks.aclose(grace_s=0.05)
    assert ended == ["soon", "never"]
    assert len(tasks) == 0


async def test_a_task_may_close_its_owner() -> None:
    tasks = Tasks()
    other = tasks.spawn(asyncio.Event().wait(), name="other")
    await tasks.spawn(tasks.aclose(), name="closing")
    assert other.cancelled()
