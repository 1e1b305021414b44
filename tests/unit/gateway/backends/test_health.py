"""Checks of a backend: when it falls and rises."""

import asyncio
import random
import time
from collections.abc import Callable

import pytest

from ringway.gateway.backends.health import RESULTS_A_TURN, BackendHealth, HealthChecks, is_panic
from ringway.gateway.config.gateway import GatewayConfig
from ringway.types import NodeName
from support.log_capture import capture_logs
from unit.gateway.backends.kit import A, B, Cluster, backend, offers


def test_it_falls_and_rises_by_runs() -> None:
    health = BackendHealth(fall=2, rise=3)
    assert [health.count_check(passed) for passed in (False, True, False, False)] == [False, False, False, True]
    assert not health.up
    assert [health.count_check(passed) for passed in (True, True, False, True, True, True)] == [False] * 5 + [True]
    assert health.up


@pytest.mark.parametrize(
    ("up", "threshold", "panic"),
    [
        (0.0, 0.0, False),
        (0.0, 1.0, True),
        (0.1, 1.0, False),
        (4.9, 50.0, True),
        (5.0, 50.0, False),
        (9.9, 100.0, True),
        (10.0, 100.0, False),
    ],
)
def test_too_few_that_pass_are_a_panic(up: float, threshold: float, panic: bool) -> None:
    assert is_panic(up, 10.0, threshold) is panic


class Server:
    """A backend that listens while it is told to, on one port."""

    def __init__(self) -> None:
        self.checked = 0
        self._server: asyncio.Server | None = None
        self.port = 0

    async def listen(self) -> None:
        self._server = await asyncio.start_server(self._take, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.checked += 1
        writer.close()


class Checks:
    """Health checks of backends a, b and so on, one for each of `servers`."""

    def __init__(self, *servers: Server) -> None:
        self.gateway = Cluster().gateways[0]
        self.view = self.gateway.directory.groups
        config = GatewayConfig(health_interval_s=0.01, health_fall=1, health_rise=1)
        self.checks = HealthChecks(config, self.view, lambda name: None, random.Random(1), self._clock)
        self.asked = 0  # how often checks have read the clock
        backends = [backend(NodeName(name), server.port) for name, server in zip("abc", servers, strict=False)]
        self.gateway.holding.book.update("test", offers(*backends))
        self.gateway.directory.feed.add_report(self.gateway.report())
        for each in backends:
            self.view.doubt(each.name, "not checked")
            self.checks.watch(each)

    def _clock(self) -> float:
        self.asked += 1
        return time.monotonic()

    async def __aenter__(self) -> "Checks":
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.checks.stop()
        await self.gateway.holding.stop()


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not holds():
            await asyncio.sleep(0.005)


async def test_that_no_backend_passes_is_logged_once_until_it_changes():
    server = Server()
    await server.listen()
    with capture_logs() as log:
        async with Checks(server) as world:
            await until(lambda: world.gateway.eligible == [A])
            for _ in range(2):
                await server.close()
                await until(lambda: not world.gateway.eligible)
                world.asked = 0
                await until(lambda: world.asked >= 10)
                await server.listen()
                await until(lambda: world.gateway.eligible == [A])
    await server.close()
    assert sum("nobody is let in" in str(line["event"]) for line in log) == 2


async def test_a_check_that_fails_brings_no_other_backend_back_that_was_taken_out():
    good, bad = Server(), Server()
    await good.listen()
    await bad.listen()
    async with Checks(good, bad) as world:
        await until(lambda: world.gateway.eligible == [A, B])
        world.view.eject(A, "was taken out")
        await bad.close()
        await until(lambda: B in world.checks.failing)
        seen = good.checked
        await until(lambda: good.checked >= seen + 5)
        assert world.view.nodes[A].ejected == "was taken out"
    await good.close()


async def test_of_many_checks_that_end_together_some_are_applied_in_each_turn_of_the_loop():
    server = Server()
    await server.listen()
    count = 4 * RESULTS_A_TURN
    async with Checks() as world:
        many = [backend(NodeName(f"b{number}"), server.port) for number in range(count)]
        world.gateway.holding.book.update("test", offers(*many))
        await until(lambda: len(world.gateway.holding.claims()) == count)
        world.gateway.directory.feed.add_report(world.gateway.report())
        await until(lambda: len(world.view.nodes) == count)
        for each in many:
            world.view.doubt(each.name, "not checked")
            world.checks.watch(each)
        eligible, most = 0, 0
        async with asyncio.timeout(90):
            while eligible < count:
                await asyncio.sleep(0)
                before, eligible = eligible, len(world.gateway.eligible)
                most = max(most, eligible - before)
        assert most <= RESULTS_A_TURN
    await server.close()


async def test_the_checks_of_one_group_decide_about_no_other_group():
    good, bad = Server(), Server()
    await good.listen()
    await bad.listen()
    await bad.close()
    async with Checks(good) as world:
        other = backend(B, bad.port, group="other")
        world.gateway.holding.book.update("more", offers(other))
        world.gateway.directory.feed.add_report(world.gateway.report())
        world.checks.watch(other)
        await until(lambda: B in world.checks.failing and world.gateway.eligible == [A])
        await until(lambda: world.view.nodes[B].doubt.startswith("fails its check"))
        world.checks.forget(B)
        await until(lambda: world.gateway.eligible == [A])
    await good.close()


async def test_a_group_whose_backends_pass_and_have_no_weight_has_nobody_who_fails():
    server = Server()
    await server.listen()
    with capture_logs() as log:
        async with Checks() as world:
            idle = backend(A, server.port, weight=0.0)
            world.gateway.holding.book.update("test", offers(idle))
            world.gateway.directory.feed.add_report(world.gateway.report())
            world.view.doubt(A, "not checked")
            world.checks.watch(idle)
            await until(lambda: not world.view.nodes[A].doubt)
            assert world.gateway.eligible == [], "it gets no newcomers"
    await server.close()
    assert not [line for line in log if "nobody is let in" in str(line["event"])]
