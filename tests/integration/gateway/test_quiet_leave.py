"""A backend that is out is left at a quiet moment: no answer is lost that was under way (PROTOCOL.md P-3.12)."""

import asyncio
import random
from contextlib import asynccontextmanager
from functools import partial

import pytest
from gateway_kit import eventually
from websockets.asyncio.client import connect
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed

ANSWER_S = 0.05
CLIENTS = 30


class Server:
    """Answers each message after `ANSWER_S`, in order; `ticks` are sent as well, all the time."""

    def __init__(self, *, ticks: bool) -> None:
        self.ticks = ticks
        self.open = 0

    async def handle(self, connection):
        self.open += 1
        ticking = asyncio.create_task(self.tick(connection)) if self.ticks else None
        try:
            async for message in connection:
                await asyncio.sleep(ANSWER_S)
                await connection.send(message)
                if message == "bye":
                    await connection.close(4001, "enough")
        except ConnectionClosed:
            pass
        finally:
            self.open -= 1
            if ticking is not None:
                ticking.cancel()

    async def tick(self, connection):
        try:
            while True:
                await connection.send("tick")
                await asyncio.sleep(0.02)
        except ConnectionClosed:
            pass


async def ask(url, rng, stop, pause_s):
    """Ask again and again until `stop`, and be answered each time; return how often."""
    count = 0
    async with connect(url, compression=None, ping_interval=None, max_queue=None) as connection:
        while not stop.is_set():
            await connection.send(f"{count}")
            async with asyncio.timeout(10):
                while (answer := await connection.recv()) == "tick":
                    pass
            assert answer == f"{count}"
            count += 1
            await asyncio.sleep(rng.uniform(0, pause_s))
    return count


@asynccontextmanager
async def two_servers(start_rig, *, ticks=False, **settings):
    one, two = Server(ticks=ticks), Server(ticks=ticks)
    listen = partial(serve, host="127.0.0.1", port=0, compression=None, ping_interval=None)
    async with listen(one.handle) as first, listen(two.handle) as second:
        ports = [server.sockets[0].getsockname()[1] for server in (first, second)]
        rig = await start_rig(
            f"ws://127.0.0.1:{ports[0]},name=one,weight=1000,on-move=reopen",
            f"ws://127.0.0.1:{ports[1]},name=two,weight=1,on-move=reopen",
            policy="least-connected",
            reopen_window_s=0.1,
            connect_deadline_s=10.0,  # both ends share this loop, which may stand still on a busy machine
            **settings,
        )
        yield rig, one, two


@pytest.mark.parametrize(
    ("pause_s", "ticks"),
    [(0.0, False), (0.6, False), (0.6, True)],
    ids=["question upon question", "with pauses", "with pauses, and ticks between the answers"],
)
async def test_no_answer_is_lost(start_rig, pause_s, ticks):
    rng = random.Random(3)
    stop = asyncio.Event()
    async with two_servers(start_rig, ticks=ticks, leave_quiet_s=0.2, leave_deadline_s=5.0) as (rig, one, _):
        asking = [asyncio.create_task(ask(rig.url(), rng, stop, pause_s)) for _ in range(CLIENTS)]
        await eventually(lambda: rig.stats.relays_open == one.open == CLIENTS)
        rig.tell("one", out=True)
        await eventually(lambda: rig.stats.reopened == CLIENTS or any(task.done() for task in asking), 60)
        stop.set()
        assert all(await asyncio.gather(*asking))
        assert rig.stats.reopened == CLIENTS
        assert not rig.stats.cut


async def test_a_backend_that_is_back_before_a_quiet_moment_is_stayed_at(start_rig):
    stop = asyncio.Event()
    async with two_servers(start_rig, leave_quiet_s=0.3, leave_deadline_s=1.5) as (rig, one, two):
        asking = asyncio.create_task(ask(rig.url(), random.Random(4), stop, 0.0))
        await eventually(lambda: rig.stats.relays_open == one.open == 1)
        rig.tell("one", out=True)
        await eventually(lambda: rig.stats.relays_moving == 1)
        rig.tell("one", out=False)
        await eventually(lambda: rig.stats.relays_moving == 0)
        stop.set()
        assert await asking
        assert (rig.stats.reopened, two.open) == (0, 0)


async def test_a_silent_connection_is_left_soon(start_rig):
    async with two_servers(start_rig, leave_quiet_s=0.05, leave_deadline_s=60.0) as (rig, one, two):
        async with connect(rig.url(), compression=None) as connection:
            await eventually(lambda: rig.stats.relays_open == one.open == 1)
            rig.tell("one", out=True)
            await eventually(lambda: two.open == 1)
            await connection.send("still here")
            assert await connection.recv() == "still here"
        assert not rig.stats.cut


async def test_pings_are_no_speech(start_rig):
    async with (
        two_servers(start_rig, leave_quiet_s=0.1, leave_deadline_s=60.0) as (rig, one, two),
        connect(rig.url(), compression=None, ping_interval=0.02, ping_timeout=None) as connection,
    ):
        await eventually(lambda: rig.stats.relays_open == one.open == 1)
        rig.tell("one", out=True)
        await eventually(lambda: two.open == 1)
        await connection.send("still here")
        assert await connection.recv() == "still here"


@pytest.mark.parametrize("how", ["the client closes", "the backend closes"])
async def test_a_close_while_a_quiet_moment_is_waited_for_is_passed_on(start_rig, how):
    async with two_servers(start_rig, ticks=True, leave_quiet_s=5.0, leave_deadline_s=60.0) as (rig, one, two):
        async with connect(rig.url(), compression=None) as connection:
            await eventually(lambda: rig.stats.relays_open == one.open == 1)
            rig.tell("one", out=True)
            await eventually(lambda: rig.stats.relays_moving == 1)
            if how == "the client closes":
                await connection.close(4001, "enough")
            else:
                await connection.send("bye")
                while await connection.recv() == "tick":
                    pass
            await connection.wait_closed()
            assert connection.close_code == 4001
        await rig.idle()
        assert (rig.stats.relays_moving, rig.stats.cut, two.open) == (0, {}, 0)
