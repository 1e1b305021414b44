"""A node moves a client that came through the gateway: the gateway follows, and the client notices nothing (P-3.11)."""

import asyncio
from functools import partial

import pytest
from gateway_kit import answer_101, eventually, handshake, masked, unused_port
from move_kit import SLOW_S, ring, text, told

from ringway.gateway.proxy.opener import Opener
from ringway.protocol.frame import CLOSE, PING, PONG, TEXT, close_payload, server_frame
from ringway.types import NodeState

NODE_LOST = (1012, "node lost")


async def test_a_moved_client_notices_nothing():
    async with ring() as made:
        one, two = made.nodes
        client = await made.dial("/connection/websocket?a=1&key=k&moves=0&resume=7", Cookie="c=d")
        donor = await one.visit()
        assert donor.query == {"a": ["1"], "key": ["k"], "ticket": donor.query["ticket"], "moves": ["1"]}
        await client.send(text(b"before"))
        await donor.send(b"hello")
        assert await client.frame() == (0x81, b"hello")
        await eventually(lambda: donor.got == [b"before"])
        ticket = made.made.ticket("n1")
        await donor.raw.send(made.close_frame("n1", ticket))
        target = await two.visit()
        assert target.query == {"a": ["1"], "key": ["k"], "ticket": [ticket], "resume": ["1"], "moves": ["1"]}
        assert target.target.startswith("/connection/websocket?")
        told, before = ([line for line in head.split("\r\n")[1:] if not line.startswith("ringway-proof")]
                        for head in (target.head, donor.head))  # fmt: skip  # a proof is made for each ticket
        assert told == before
        await donor.ended.wait()
        assert donor.close == (1012, "")
        await client.send(text(b"after"))
        await target.send(b"here")
        assert await client.frame() == (0x81, b"here")
        await eventually(lambda: target.got == [b"after"])
        assert donor.got == [b"before"]
        await client.send(masked(0x88, close_payload(1000, "done")))
        await eventually(lambda: target.close == (1000, "done"))
        await client.close()
        await made.idle()
        stats = made.stats
        assert (stats.moved, stats.relays_opened, stats.cut, stats.moves_failed) == (1, 1, {}, {})


async def test_a_message_in_fragments_is_finished_at_the_old_node():
    async with ring() as made:
        one, two = made.nodes
        client = await made.dial()
        donor = await one.visit()
        await client.send(masked(0x01, b"be"))
        await eventually(lambda: donor.within_message)
        await made.move(donor, two)
        await eventually(lambda: made.stats.relays_moving == 1)
        await client.send(masked(0x89, b"still there?") + masked(0x00, b"gi"))
        await eventually(lambda: donor.pings == [b"still there?"])
        assert donor.close is None
        await client.send(masked(0x80, b"nning") + masked(0x89, b"and now?") + text(b"next"))
        target = await two.visit()
        await eventually(lambda: target.got == [b"next"])
        assert (donor.got, donor.close) == ([b"beginning"], (1012, ""))
        assert (donor.pings, target.pings) == ([b"still there?"], [b"and now?"])


@pytest.mark.parametrize("cut", [1, 5, 13])
async def test_a_message_whose_header_is_not_whole_goes_to_the_next_node(cut):
    large = masked(0x82, b"x" * 1_000_000)
    async with ring() as made:
        one, two = made.nodes
        client = await made.dial()
        donor = await one.visit()
        await client.send(large[:cut])
        await made.move(donor, two)
        target = await two.visit()
        await client.send(large[cut:] + text(b"next"))
        await eventually(lambda: target.got[1:] == [b"next"], SLOW_S)
        assert (donor.got, donor.close) == ([], (1012, ""))
        assert len(target.got[0]) == 1_000_000


@pytest.mark.parametrize("cut", [14, 600_000, 1_000_013])
async def test_a_large_message_is_cut_nowhere(cut):
    large = masked(0x82, b"x" * 1_000_000)
    async with ring() as made:
        one, two = made.nodes
        client = await made.dial()
        donor = await one.visit()
        await client.send(large[:cut])
        await eventually(lambda: made.made.gateway.relays.tally() or made.stats.bytes_to_node == cut)
        await made.move(donor, two)
        await eventually(lambda: made.stats.relays_moving == 1)
        await client.send(large[cut:] + text(b"next") + text(b"but one"))
        target = await two.visit()
        await eventually(lambda: target.got == [b"next", b"but one"], SLOW_S)
        await eventually(lambda: donor.close == (1012, ""))
        assert [len(message) for message in donor.got] == [1_000_000]


async def test_what_crosses_the_close_frame_of_a_move_is_dropped():
    async with ring() as made:
        one, two = made.nodes
        client = await made.dial()
        donor = await one.visit()
        behind = server_frame(PONG, b"") + server_frame(PING, b"?") + b"\x83\x00"
        await donor.raw.send(server_frame(TEXT, b"first") + made.close_frame("n1") + behind)
        assert await client.frame() == (0x81, b"first")
        target = await two.visit()
        await client.send(
            text(b"next") + masked(0x88, close_payload(1000, "done")) + masked(0x8A, b"") + b"\x83\x80mask"
        )
        await eventually(lambda: target.close == (1000, "done"))
        assert target.got == [b"next"]
        await client.close()
        await made.idle()
        assert not made.stats.cut


async def test_what_a_node_sends_in_one_piece_with_its_move_arrives():
    async with ring(3) as made:
        one, two, three = made.nodes
        two.first = server_frame(TEXT, b"second") + made.close_frame("n2")
        three.first = server_frame(TEXT, b"third")
        client = await made.dial()
        donor = await one.visit()
        await donor.raw.send(server_frame(TEXT, b"first") + made.close_frame("n1"))
        for expected in (b"first", b"second", b"third"):
            assert await client.frame() == (0x81, expected)
        await client.send(text(b"to the third"))
        await eventually(lambda: three.visits[0].got == [b"to the third"])
        assert donor.got == two.visits[0].got == []


async def test_a_move_with_the_very_handshake_keeps_what_the_client_was_early_with():
    async with ring() as made:
        one, two = made.nodes
        one.first = made.close_frame("n1")
        client = await made.made.dial()
        await client.send(handshake() + text(b"early") + text(b"bird"))
        assert (await client.head())[0] == 101
        target = await two.visit()
        await client.send(text(b"last"))
        await eventually(lambda: one.visits[0].got + target.got == [b"early", b"bird", b"last"])


async def test_two_half_messages_in_one_piece():
    one_message, other = masked(0x82, b"1" * 300), masked(0x82, b"2" * 300)
    async with ring() as made:
        one, two = made.nodes
        client = await made.dial()
        donor = await one.visit()
        await client.send(one_message[:100])
        await eventually(lambda: made.made.gateway.relays.tally() or made.stats.bytes_to_node == 100)
        await made.move(donor, two)
        await eventually(lambda: made.stats.relays_moving == 1)
        await client.send(one_message[100:] + other[:200])
        target = await two.visit()
        await client.send(other[200:] + text(b"3"))
        await eventually(lambda: target.got == [b"2" * 300, b"3"])
        assert donor.got == [b"1" * 300]


async def test_what_a_client_sends_while_the_target_makes_ready_is_held():
    async with ring() as made:
        one, two = made.nodes
        two.go.clear()
        client = await made.dial()
        await made.move(await one.visit(), two)
        await eventually(lambda: two.asked)
        await client.send(masked(0x89, b"are you there?") + text(b"0") + text(b"1"))
        await client.send(text(b"2"))
        two.go.set()
        target = await two.visit()
        await eventually(lambda: target.got == [b"0", b"1", b"2"])
        assert target.pings == [b"are you there?"]
        assert one.visits[0].got == one.visits[0].pings == []


async def test_many_moves_in_a_row():
    async with ring(2) as made:
        client = await made.dial()
        visit = await made.nodes[0].visit()
        for turn in range(1, 6):
            await visit.send(b"from the old")
            await client.send(text(b"%d" % turn))
            await made.move(visit, made.nodes[turn % 2])
            following = await made.nodes[turn % 2].visit(turn // 2)
            await following.send(b"from the new")
            assert await client.frame() == (0x81, b"from the old")
            assert await client.frame() == (0x81, b"from the new")
            visit = following
        everything = [visit for turn in range(6) for visit in [made.nodes[turn % 2].visits[turn // 2]]]
        await client.send(text(b"end"))
        await eventually(lambda: everything[-1].got[-1:] == [b"end"])
        assert [message for visit in everything for message in visit.got] == [b"1", b"2", b"3", b"4", b"5", b"end"]
        assert made.stats.moved == 5


@pytest.mark.parametrize(
    ("status", "cause"), [(410, "refused"), (403, "refused"), (503, "refused"), (500, "unreachable")]
)
async def test_a_target_that_refuses(status, cause):
    async with ring() as made:
        one, two = made.nodes
        two.refuse(status)
        client = await made.dial()
        await made.move(await one.visit(), two)
        assert await told(client) == NODE_LOST
        await client.send(masked(0x88, close_payload(1012)))
        assert await client.rest() == b""
        await made.idle()
        assert made.stats.moves_failed == {cause: 1}
        assert made.stats.cut == {"move": 1}
        assert len(two.asked) == 1


ANSWERS = {
    "another subprotocol": partial(answer_101),
    "an extension": lambda head: answer_101(head, "Sec-WebSocket-Protocol: v1", "Sec-WebSocket-Extensions: x-zip"),
    "a wrong key": lambda head: answer_101(head, "Sec-WebSocket-Accept: wrong"),
}


@pytest.mark.parametrize("answer", ANSWERS)
async def test_a_target_that_agrees_to_something_else(answer):
    async with ring() as made:
        one, two = made.nodes
        one.answer = lambda head: answer_101(head, "Sec-WebSocket-Protocol: v1")
        two.answer = ANSWERS[answer]
        client = await made.dial(Sec_WebSocket_Protocol="v2, v1", Sec_WebSocket_Extensions="x-zip")
        await made.move(await one.visit(), two)
        assert await told(client) == NODE_LOST
        await eventually(lambda: made.stats.moves_failed == {"answer": 1})


async def test_no_extension_is_offered_where_the_gateway_may_have_to_follow():
    async with ring() as made:
        await made.dial(Sec_WebSocket_Extensions="permessage-deflate")
        assert "sec-websocket-extensions" not in (await made.nodes[0].visit()).head.lower()


async def test_the_same_subprotocol_is_agreed_again():
    async with ring() as made:
        one, two = made.nodes
        one.answer = two.answer = lambda head: answer_101(head, "Sec-WebSocket-Protocol: v1")
        client = await made.dial(Sec_WebSocket_Protocol="v2, v1")
        await made.move(await one.visit(), two)
        await (await two.visit()).send(b"here")
        assert await client.frame() == (0x81, b"here")


async def test_a_target_that_does_not_answer():
    async with ring(move_deadline_s=0.3) as made:
        one, two = made.nodes
        two.go.clear()
        client = await made.dial()
        await made.move(await one.visit(), two)
        assert await told(client) == NODE_LOST
        await client.close()
        await made.idle()
        assert made.stats.moves_failed == {"timeout": 1}
        two.go.set()


async def test_a_target_that_is_not_there():
    async with ring() as made:
        await made.made.join("n9", f"ws://127.0.0.1:{unused_port()}")
        made.made.fall_silent("n9")
        client = await made.dial()
        await (await made.nodes[0].visit()).raw.send(made.close_frame("n9"))
        assert await told(client) == NODE_LOST
        await eventually(lambda: made.stats.moves_failed == {"unreachable": 1})


@pytest.mark.parametrize("ticket", ["", "A" * 44])
async def test_a_target_that_is_not_known_or_a_ticket_that_is_not_good(ticket):
    async with ring() as made:
        client = await made.dial()
        await (await made.nodes[0].visit()).raw.send(made.close_frame("n1" if ticket else "n77", ticket))
        assert await told(client) == NODE_LOST
        await eventually(lambda: made.stats.moves_failed == {"unknown": 1})
        assert made.nodes[1].asked == []


async def test_a_target_that_hangs_up_before_it_answers():
    async with ring() as made:
        one, two = made.nodes
        two.answer = lambda head: None
        client = await made.dial()
        await made.move(await one.visit(), two)
        assert await told(client) == NODE_LOST
        await eventually(lambda: made.stats.moves_failed == {"unreachable": 1})


async def test_a_donor_that_does_not_hang_up_holds_nobody_up():
    async with ring(move_deadline_s=1.0) as made:
        one, two = made.nodes
        one.hangs_up = False
        client = await made.dial()
        donor = await one.visit()
        await made.move(donor, two)
        target = await two.visit()
        await client.send(text(b"on"))
        await eventually(lambda: target.got == [b"on"])
        await asyncio.wait_for(donor.ended.wait(), SLOW_S)  # by us, in the end
        assert donor.close == (1012, "")
        await client.send(text(b"and on"))
        await eventually(lambda: target.got == [b"on", b"and on"])


@pytest.mark.parametrize("reset", [False, True])
async def test_a_donor_that_dies_before_its_close_was_answered(reset):
    async with ring() as made:
        one, two = made.nodes
        client = await made.dial()
        donor = await one.visit()
        await client.send(masked(0x01, b"half"))
        await eventually(lambda: donor.within_message)
        await made.move(donor, two)
        await eventually(lambda: made.stats.relays_moving == 1)
        if reset:
            donor.raw.reset()
        else:
            donor.raw.writer.close()
        assert await told(client) == NODE_LOST
        await client.close()
        await made.idle()
        assert made.stats.moves_failed == {"node_lost": 1}
        assert two.asked == []


async def test_a_donor_that_dies_after_that_is_missed_by_nobody():
    async with ring(farewell_s=0.05) as made:
        one, two = made.nodes
        two.go.clear()
        client, other = await made.dial(), await made.dial()
        donor = await one.visit()
        await made.move(donor, two)
        await eventually(lambda: two.asked)
        await made.made.withdraw("n0")
        assert await told(other) == NODE_LOST
        two.go.set()
        target = await two.visit()
        await client.send(text(b"on"))
        await eventually(lambda: target.got == [b"on"])
        assert made.stats.cut == {"node_lost": 1}


async def test_a_donor_that_leaves_cuts_nobody_who_has_moved():
    async with ring(farewell_s=0.1) as made:
        one, two = made.nodes
        client, other = await made.dial(), await made.dial()
        await made.move(await one.visit(), two)
        target = await two.visit()
        await made.made.withdraw("n0")
        assert await told(other) == NODE_LOST
        await client.send(text(b"on"))
        await eventually(lambda: target.got == [b"on"])
        assert made.stats.cut == {"node_lost": 1}
        await made.made.withdraw("n1")
        assert await told(client) == NODE_LOST
        assert made.stats.cut == {"node_lost": 2}


async def test_a_target_that_is_gone_cuts_who_is_on_the_way_to_it():
    async with ring(farewell_s=0.05) as made:
        one, two = made.nodes
        two.go.clear()
        client = await made.dial()
        await made.move(await one.visit(), two)
        await eventually(lambda: two.asked)
        await made.made.withdraw("n1")
        assert await told(client) == NODE_LOST
        await client.close()
        await made.idle()
        assert made.stats.moves_failed == {"node_lost": 1}
        two.go.set()


async def test_a_node_that_moves_within_a_message_of_its_own():
    async with ring() as made:
        one, two = made.nodes
        client = await made.dial()
        await (await one.visit()).raw.send(b"\x01\x02ha" + made.close_frame("n1"))
        assert await client.frame() == (0x01, b"ha")
        assert await told(client) == NODE_LOST
        await eventually(lambda: made.stats.moves_failed == {"message": 1})
        assert two.asked == []


@pytest.mark.parametrize("reason", ["", "age", "drained", "move n1", "move n1 short"])
async def test_other_closes_pass_as_they_are(reason):
    async with ring() as made:
        client = await made.dial()
        donor = await made.nodes[0].visit()
        await donor.raw.send(server_frame(CLOSE, close_payload(1012, reason)))
        assert await told(client) == (1012, reason)
        await client.send(masked(0x88, close_payload(1012)))
        await eventually(lambda: donor.close == (1012, ""))
        await client.close()
        await made.idle()
        assert not made.stats.cut
        assert not made.stats.moves_failed


async def test_stopping_tells_who_is_on_the_way():
    async with ring() as made:
        one, two = made.nodes
        two.go.clear()
        client = await made.dial()
        await made.move(await one.visit(), two)
        await eventually(lambda: two.asked)
        stopping = asyncio.create_task(made.made.gateway.stop())
        assert await told(client) == (1012, "the gateway is stopping")
        await client.close()
        await stopping
        await made.idle()
        two.go.set()


async def test_a_fault_of_our_own_costs_that_connection_only(monkeypatch):
    async with ring() as made:
        one, _ = made.nodes

        async def follow(*_: object) -> None:
            raise RuntimeError("a fault")

        client, other = await made.dial(), await made.dial()
        monkeypatch.setattr(Opener, "follow", follow)
        await made.move(await one.visit(), made.nodes[1])
        assert await client.rest() == b""
        await (await one.visit(1)).send(b"here")
        assert await other.frame() == (0x81, b"here")
        assert made.stats.moves_failed == {"client": 1}


async def test_two_hundred_at_once():
    count = 200
    async with ring(3) as made:
        one, two, three = made.nodes
        clients = [await made.dial(f"/connection/websocket?client={index}") for index in range(count)]
        await eventually(lambda: len(one.visits) == count, SLOW_S)
        for index, client in enumerate(clients):
            await client.send(text(b"a%d" % index))
        for index, visit in enumerate(one.visits):
            await visit.raw.send(server_frame(TEXT, b"old") + made.close_frame("n1" if index % 2 else "n2"))
        for index, client in enumerate(clients):
            await client.send(text(b"b%d" % index))
        await eventually(lambda: len(two.visits) + len(three.visits) == count, SLOW_S)
        for visit in two.visits + three.visits:
            await visit.send(b"new")
        for client in clients:
            assert await client.frame(SLOW_S) == (0x81, b"old")
            assert await client.frame(SLOW_S) == (0x81, b"new")
        got: dict[str, list[bytes]] = {}
        await eventually(lambda: sum(len(visit.got) for node in made.nodes for visit in node.visits) == 2 * count)
        for visit in one.visits + two.visits + three.visits:
            got.setdefault(visit.query["client"][0], []).extend(visit.got)
        assert got == {str(index): [b"a%d" % index, b"b%d" % index] for index in range(count)}
        assert (len(two.visits), len(three.visits)) == (count // 2, count // 2)
        assert made.stats.moved == count
        assert not made.stats.cut
        assert made.stats.relays_moving == 0


async def test_no_more_newcomers_than_before_come_to_a_node_for_its_moves():
    async with ring() as made:
        one, two = made.nodes
        await made.dial()
        await made.move(await one.visit(), two)
        await two.visit()
        view = made.made.directory.groups
        assert view.nodes["n1"].own == 0
        assert view.nodes["n0"].state is NodeState.ACTIVE
