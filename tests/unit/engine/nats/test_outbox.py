import asyncio
from collections.abc import Callable

import pytest

from ringway.engine.nats import outbox as outbox_module
from ringway.engine.nats.command import PING
from ringway.engine.nats.outbox import NatsOutbox
from ringway.errors import EngineAway


class Socket:
    """Remembers what was written, and plays the server's PONGs when told to."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.pongs: list[Callable[[], None]] = []

    def write(self, data: bytes, pong: Callable[[], None] | None) -> None:
        assert (pong is not None) == data.endswith(PING)
        self.written.append(data)
        if pong is not None:
            self.pongs.append(pong)


@pytest.fixture
def socket() -> Socket:
    return Socket()


@pytest.fixture
async def outbox(socket: Socket) -> NatsOutbox:
    return NatsOutbox(socket.write)


async def turn() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


async def test_the_commands_of_a_turn_leave_in_one_write_in_order(outbox: NatsOutbox, socket: Socket) -> None:
    for command in (b"1\r\n", b"2\r\n", b"3\r\n"):
        outbox.send(command)
    assert socket.written == []
    await turn()
    assert socket.written == [b"1\r\n2\r\n3\r\n"]


async def test_all_of_a_turn_share_one_ping(outbox: NatsOutbox, socket: Socket) -> None:
    outbox.send(b"1\r\n")
    one = outbox.processed()
    outbox.send(b"2\r\n")
    two = outbox.processed()
    await turn()
    assert socket.written == [b"1\r\n2\r\n" + PING]
    assert not one.done()
    socket.pongs.pop()()
    assert one.done()
    assert two.done()


async def test_one_ping_is_under_way_at_a_time_and_commands_do_not_wait_for_it(
    outbox: NatsOutbox, socket: Socket
) -> None:
    first = outbox.processed()
    await turn()
    outbox.send(b"later\r\n")
    second = outbox.processed()
    await turn()
    assert socket.written == [PING, b"later\r\n"]
    socket.pongs.pop()()
    await turn()
    assert first.done()
    assert not second.done()
    assert socket.written == [PING, b"later\r\n", PING]
    socket.pongs.pop()()
    assert second.done()


async def test_a_cancelled_waiter_leaves_the_others_alone(outbox: NatsOutbox, socket: Socket) -> None:
    cancelled, other = outbox.processed(), outbox.processed()
    await turn()
    cancelled.cancel()
    socket.pongs.pop()()
    assert other.done()


async def test_a_lost_connection_fails_who_waits_and_forgets_what_was_unsent(
    outbox: NatsOutbox, socket: Socket
) -> None:
    flying = outbox.processed()
    await turn()
    outbox.send(b"unsent\r\n")
    waiting = outbox.processed()
    outbox.fail_all()
    for future in (flying, waiting):
        with pytest.raises(EngineAway, match="lost"):
            await future
    await turn()
    assert socket.written == [PING]
    after = outbox.processed()
    await turn()
    assert socket.written == [PING, PING]
    socket.pongs[-1]()
    assert after.done()


async def test_a_server_that_is_silent_fails_who_waits(
    outbox: NatsOutbox, socket: Socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_module, "CONFIRM_S", 0.001)
    outbox.send(b"1\r\n")
    with pytest.raises(EngineAway, match="did not confirm"):
        await outbox.processed()
    late = outbox.processed()
    await turn()
    assert socket.written == [b"1\r\n" + PING]
    socket.pongs.pop()()
    await turn()
    socket.pongs.pop()()
    assert late.done()


async def test_what_is_untaken_is_bounded(outbox: NatsOutbox, socket: Socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox_module, "UNPROCESSED_BYTES_MAX", 1000)
    monkeypatch.setattr(outbox_module, "PING_BYTES", 100)
    outbox.send(b"x" * 600)
    with pytest.raises(EngineAway, match="does not keep up"):
        outbox.send(b"x" * 600)
    await turn()
    assert socket.written == [b"x" * 600 + PING]  # nobody waits, and yet the size is to be known
    outbox.send(b"x" * 400)
    with pytest.raises(EngineAway):
        outbox.send(b"x")
    await turn()
    socket.pongs.pop()()
    outbox.send(b"x" * 600)
    await turn()
    assert sum(map(len, socket.written)) == 1600 + 2 * len(PING)


async def test_many_are_taken_as_far_as_there_is_room(
    outbox: NatsOutbox, socket: Socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_module, "UNPROCESSED_BYTES_MAX", 1000)
    outbox.send(b"0" * 100)
    assert outbox.send_many([b"1" * 400, b"2" * 500, b"3"]) == 2
    assert outbox.send_many([b"4"]) == 0
    assert outbox.send_many([]) == 0
    await turn()
    assert socket.written == [b"0" * 100 + b"1" * 400 + b"2" * 500]
