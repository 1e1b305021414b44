"""Lookups are shared, bounded, and outlived by their last good answer. A lookup here is a function under control."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator

import pytest

from ringway.net.config import NamesConfig
from ringway.net.resolver import Found, Resolver, ask_system

PATIENCE_S = 10.0


def found(ip: str) -> Found:
    return ((socket.AF_INET, (ip, 0)),)


class Names:
    """A lookup function under a test's control. A name without an answer waits until `release`, then fails."""

    def __init__(self) -> None:
        self.answers: dict[str, Found | OSError] = {}
        self.asked: list[str] = []
        self.under_way = 0
        self.most = 0
        self.released = threading.Event()
        self._lock = threading.Lock()

    def __call__(self, host: str) -> Found:
        with self._lock:
            self.asked.append(host)
            self.under_way += 1
            self.most = max(self.most, self.under_way)
        try:
            answer = self.answers.get(host)
            if answer is None:
                assert self.released.wait(PATIENCE_S)
                answer = socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
            if isinstance(answer, OSError):
                raise answer
            return answer
        finally:
            with self._lock:
                self.under_way -= 1


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def names() -> AsyncIterator[Names]:
    names = Names()
    yield names
    names.released.set()


@pytest.fixture
def clock() -> Clock:
    return Clock()


async def until(true: object) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not true():  # type: ignore[operator]
            await asyncio.sleep(0)


async def turns() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_one_lookup_answers_all_who_wait(names: Names, clock: Clock) -> None:
    names.answers["a"] = found("10.0.0.1")
    resolver = Resolver(None, names, clock)
    assert set(await asyncio.gather(*(resolver.find("a") for _ in range(50)))) == {found("10.0.0.1")}
    assert names.asked == ["a"]


async def test_an_answer_is_fresh_for_a_while(names: Names, clock: Clock) -> None:
    names.answers["a"] = found("10.0.0.1")
    resolver = Resolver(NamesConfig(fresh_s=5), names, clock)
    await resolver.find("a")
    names.answers["a"] = found("10.0.0.2")
    clock.now += 4.9
    assert await resolver.find("a") == found("10.0.0.1")
    clock.now += 0.1
    assert await resolver.find("a") == found("10.0.0.2")
    assert names.asked == ["a", "a"]


async def test_a_doubted_answer_is_looked_up_again(names: Names, clock: Clock) -> None:
    names.answers["a"] = found("10.0.0.1")
    resolver = Resolver(NamesConfig(fresh_s=3600), names, clock)
    await resolver.find("a")
    names.answers["a"] = found("10.0.0.2")
    resolver.doubt("a")
    assert await resolver.find("a") == found("10.0.0.2")
    resolver.doubt("unknown")


async def test_a_name_that_is_not_answered_delays_no_other(names: Names, clock: Clock) -> None:
    resolver = Resolver(None, names, clock)
    names.answers["good"] = found("10.0.0.1")
    dead = [asyncio.create_task(resolver.find(f"dead{number}")) for number in range(40)]
    await until(lambda: names.under_way == 40)
    assert await resolver.find("good") == found("10.0.0.1")
    names.released.set()
    assert all(isinstance(each, socket.gaierror) for each in await asyncio.gather(*dead, return_exceptions=True))


async def test_names_that_were_answered_have_places_of_their_own(names: Names, clock: Clock) -> None:
    """Dead names use half of the places, whatever their number, and wait for each other."""
    resolver = Resolver(NamesConfig(lookups_max=4, late_s=60), names, clock)
    names.answers["good"] = found("10.0.0.1")
    await resolver.find("good")
    dead = [asyncio.create_task(resolver.find(f"dead{number}")) for number in range(20)]
    await until(lambda: names.under_way == 2)
    names.answers["good"] = found("10.0.0.2")
    clock.now += 10
    assert await resolver.find("good") == found("10.0.0.2")
    assert names.most <= 3
    names.released.set()
    await asyncio.gather(*dead, return_exceptions=True)
    assert names.most <= 4
    assert len(names.asked) == 22


async def test_the_last_good_answer_is_used_while_the_next_is_late(names: Names, clock: Clock) -> None:
    resolver = Resolver(NamesConfig(late_s=0), names, clock)
    names.answers["a"] = found("10.0.0.1")
    await resolver.find("a")
    del names.answers["a"]
    clock.now += 3599
    assert {await resolver.find("a") for _ in range(5)} == {found("10.0.0.1")}
    await until(lambda: names.asked == ["a", "a"])
    clock.now += 1  # too old
    waiting = asyncio.create_task(resolver.find("a"))
    await turns()
    assert not waiting.done()
    names.released.set()
    with pytest.raises(socket.gaierror, match="the name 'a' cannot be looked up: Temporary failure"):
        await waiting


async def test_who_comes_when_a_lookup_is_silent_is_told_at_once(names: Names, clock: Clock) -> None:
    resolver = Resolver(NamesConfig(silent_s=2), names, clock)
    first = asyncio.create_task(resolver.find("a"))
    await until(lambda: names.under_way == 1)
    clock.now += 2
    with pytest.raises(socket.gaierror, match=r"the name 'a' has been looked up for 2\.0 s: no name server answers"):
        await resolver.find("a")
    names.released.set()
    with pytest.raises(socket.gaierror, match="Temporary failure"):
        await first
    assert names.asked == ["a"]


async def test_the_last_good_answer_is_used_while_lookups_fail(names: Names, clock: Clock) -> None:
    resolver = Resolver(NamesConfig(late_s=60), names, clock)
    names.answers["a"] = found("10.0.0.1")
    await resolver.find("a")
    names.answers["a"] = socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
    for _ in range(3):
        clock.now += 100
        assert await resolver.find("a") == found("10.0.0.1")
        assert await resolver.find("a") == found("10.0.0.1")  # without asking: a failure has its pause
    assert names.asked == ["a"] * 4
    names.answers["a"] = found("10.0.0.2")
    clock.now += 1
    assert await resolver.find("a") == found("10.0.0.2")


async def test_a_name_that_is_gone_is_soon_given_up(names: Names, clock: Clock) -> None:
    """The name's addresses may belong to another server by now."""
    resolver = Resolver(NamesConfig(late_s=60), names, clock)
    names.answers["a"] = found("10.0.0.1")
    await resolver.find("a")
    names.answers["a"] = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    clock.now += 29
    assert await resolver.find("a") == found("10.0.0.1")
    clock.now += 1
    for _ in range(2):
        with pytest.raises(socket.gaierror, match="'a' cannot be looked up: Name or service not known"):
            await resolver.find("a")


async def test_a_failure_is_told_to_each_in_its_own_words_and_has_a_pause(names: Names, clock: Clock) -> None:
    names.answers["a"] = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    resolver = Resolver(None, names, clock)
    errors = await asyncio.gather(*(resolver.find("a") for _ in range(3)), return_exceptions=True)
    errors += await asyncio.gather(resolver.find("a"), return_exceptions=True)
    assert {type(error) for error in errors} == {socket.gaierror}
    assert len({id(error) for error in errors}) == 4
    assert names.asked == ["a"]
    names.answers["a"] = found("10.0.0.1")
    clock.now += 1
    assert await resolver.find("a") == found("10.0.0.1")


async def test_who_gives_up_does_not_end_the_lookup_of_the_others(names: Names, clock: Clock) -> None:
    resolver = Resolver(None, names, clock)
    one, other = (asyncio.create_task(resolver.find("a")) for _ in range(2))
    await until(lambda: names.under_way == 1)
    one.cancel()
    await asyncio.wait([one])
    assert one.cancelled()
    names.answers["b"] = found("10.0.0.1")
    assert await resolver.find("b") == found("10.0.0.1")
    names.released.set()
    with pytest.raises(socket.gaierror):
        await other
    assert names.asked == ["a", "b"]


async def test_names_are_bounded(names: Names, clock: Clock) -> None:
    resolver = Resolver(NamesConfig(names_max=2), names, clock)
    for name in ("a", "b", "c", "b"):
        names.answers[name] = found("10.0.0.1")
        await resolver.find(name)
    assert names.asked == ["a", "b", "c"]
    await resolver.find("a")
    assert names.asked == ["a", "b", "c", "a"]
    waiting = [asyncio.create_task(resolver.find(name)) for name in ("x", "y")]
    await until(lambda: names.under_way == 2)
    with pytest.raises(OSError, match=r"2 names are being looked up already.*names\.names_max"):
        await resolver.find("z")
    names.released.set()
    await asyncio.gather(*waiting, return_exceptions=True)


async def test_a_lookup_that_breaks_is_an_error_like_others(clock: Clock) -> None:
    def broken(host: str) -> Found:
        raise ZeroDivisionError(host)

    with pytest.raises(OSError, match="the name 'a' cannot be looked up: ZeroDivisionError"):
        await Resolver(None, broken, clock).find("a")


async def test_a_name_without_addresses_is_no_name(clock: Clock) -> None:
    with pytest.raises(socket.gaierror, match="the name 'a' cannot be looked up"):
        await Resolver(None, lambda host: (), clock).find("a")


async def test_where_no_thread_can_be_started_the_caller_is_told(
    names: Names, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    resolver = Resolver(None, names, clock)
    names.answers["a"] = found("10.0.0.1")
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        with pytest.raises(OSError, match="no thread can be started for lookups"):
            await resolver.find("a")
    clock.now += 1
    assert await resolver.find("a") == found("10.0.0.1")


def test_event_loops_share_what_is_known(names: Names, clock: Clock) -> None:
    resolver = Resolver(None, names, clock)
    names.answers["a"] = found("10.0.0.1")
    assert [asyncio.run(resolver.find("a")) for _ in range(2)] == [found("10.0.0.1")] * 2
    assert names.asked == ["a"]


async def test_who_comes_after_a_loop_was_left_is_answered(names: Names, clock: Clock) -> None:
    """A process may run several loops one after the other; a lookup of the first may end in the second."""
    resolver = Resolver(None, names, clock)

    def left() -> None:
        with pytest.raises(TimeoutError):
            asyncio.run(asyncio.wait_for(resolver.find("a"), 0.01))

    await asyncio.to_thread(left)
    waiting = asyncio.create_task(resolver.find("a"))
    await turns()
    names.released.set()
    with pytest.raises(socket.gaierror):
        await waiting
    assert names.asked == ["a"]


@pytest.mark.parametrize("host", ["a..b", "a" * 64 + ".example", "x" * 300], ids=["empty", "long-part", "long"])
def test_the_system_refuses_what_cannot_exist_as_it_refuses_unknown_names(host: str) -> None:
    with pytest.raises(socket.gaierror):
        ask_system(host)


def test_the_system_knows_this_machine() -> None:
    assert {address[0] for _, address in ask_system("localhost")} & {"127.0.0.1", "::1"}
