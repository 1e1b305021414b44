"""A client that closes, hangs up or breaks the rules while it is moved: each state of a move has its end."""

import pytest
from gateway_kit import eventually, masked
from move_kit import Ring, Visit, ring, text, told

from ringway.protocol.frame import close_payload

NODE_LOST = (1012, "node lost")
DONE = masked(0x88, close_payload(1000, "done"))


async def begin(made: Ring):
    """A client within a message whose node has closed; the target does not answer yet."""
    one, two = made.nodes
    two.go.clear()
    client = await made.dial()
    donor = await one.visit()
    await client.send(masked(0x01, b"half"))
    await eventually(lambda: donor.within_message)
    await made.move(donor, two)
    await eventually(lambda: made.stats.relays_moving == 1)
    return client, donor, two


async def held(made: Ring, *later: bytes) -> tuple[object, Visit, object]:
    """As `begin`, after the client has sent the end of its message and, in one piece with it, `later`."""
    client, donor, two = await begin(made)
    await client.send(masked(0x80, b"way") + b"".join(later))
    await eventually(lambda: two.asked)
    return client, donor, two


async def test_a_client_that_has_closed_before_is_not_moved():
    async with ring() as made:
        one, two = made.nodes
        one.hangs_up = False
        client = await made.dial()
        donor = await one.visit()
        await client.send(DONE)
        await eventually(lambda: donor.close == (1000, "done"))
        await made.move(donor, two)
        code, reason = await told(client)
        assert (code, reason[:8]) == (1012, "move n1 ")
        await client.close()
        await made.idle()
        assert not made.stats.moves_failed
        assert two.asked == []


async def test_a_client_that_has_ended_its_stream_is_not_moved():
    async with ring() as made:
        one, two = made.nodes
        client = await made.dial()
        donor = await one.visit()
        await client.send(text(b"last"))
        client.writer.write_eof()
        await donor.ended.wait()
        await client.rest()
        await made.idle()
        assert donor.got == [b"last"]
        assert two.asked == []


async def test_a_client_that_closes_within_a_message_is_answered():
    async with ring() as made:
        client, donor, two = await begin(made)
        await client.send(DONE)
        assert await told(client) == (1000, "done")
        await client.rest()
        await client.close()
        await made.idle()
        assert made.stats.moves_failed == {"client": 1}
        assert two.asked == donor.got == []


@pytest.mark.parametrize("reset", [False, True])
async def test_a_client_that_hangs_up_within_a_message(reset):
    async with ring() as made:
        client, donor, two = await begin(made)
        if reset:
            client.reset()
        else:
            client.writer.write_eof()
            assert await told(client) == NODE_LOST
        await donor.ended.wait()
        await made.idle()
        assert made.stats.moves_failed == {"client": 1}
        assert two.asked == donor.got == []


async def test_a_client_that_breaks_the_framing_within_a_message():
    async with ring() as made:
        client, donor, two = await begin(made)
        await client.send(text(b"a message within a message"))
        assert (await told(client))[0] == 1002
        await client.close()
        await made.idle()
        assert made.stats.cut == {"client_frame": 1}
        assert made.stats.moves_failed == {"client_frame": 1}
        assert two.asked == donor.got == []


@pytest.mark.parametrize("in_one_piece", [True, False])
async def test_a_client_that_closes_while_the_target_makes_ready_closes_there(in_one_piece):
    async with ring() as made:
        client, donor, two = await held(made, *[DONE] * in_one_piece)
        if not in_one_piece:
            await client.send(text(b"last") + DONE)
        two.go.set()
        target = await two.visit()
        await eventually(lambda: target.close == (1000, "done"))
        await client.rest()
        await client.close()
        await made.idle()
        assert not made.stats.moves_failed
        assert (donor.got, target.got) == ([b"halfway"], [] if in_one_piece else [b"last"])


async def test_a_client_that_has_closed_is_answered_where_the_move_fails():
    async with ring() as made:
        client, _, two = await held(made, text(b"lost"), DONE)
        two.refuse(410)
        two.go.set()
        assert await told(client) == (1000, "done")
        await client.close()
        await made.idle()
        assert made.stats.moves_failed == {"refused": 1}


async def test_what_was_held_and_is_no_websocket_is_told_when_it_is_looked_at():
    async with ring() as made:
        client, _, two = await held(made, text(b"good"), b"GET / HTTP/1.1\r\n\r\n")
        two.go.set()
        assert (await told(client))[0] == 1002
        await client.close()
        await made.idle()
        assert made.stats.cut == {"client_frame": 1}
        assert two.visits[0].got == [b"good"]


@pytest.mark.parametrize("reset", [False, True])
async def test_a_client_that_hangs_up_while_the_target_makes_ready(reset):
    async with ring() as made:
        client, _, two = await held(made, text(b"last"))
        if reset:
            client.reset()
        else:
            client.writer.write_eof()
        two.go.set()
        target = await two.visit()
        await target.ended.wait()
        await made.idle()
        assert target.got == [b"last"]
