"""Questions about presence: the nodes asked, the number of questions, and the visibility of later changes."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest

from integration.node.conftest import Dial, StartNode
from integration.node.kit import KEYRING, Peer, eventually
from integration.node.test_presence import NAMESPACES, come
from ringway.engine.memory.engine import MemoryHub
from ringway.node.channels import gathers
from ringway.node.server import ChannelNode
from ringway.ports import Answer
from ringway.protocol.command import ClientInfo
from ringway.protocol.envelope import ANSWER, QUESTION, Origin, open_envelope
from ringway.protocol.presence import PresenceAnswer, PresenceQuestion, decode_answer, encode
from ringway.types import Channel, Incarnation

C = Channel("c")
STRANGER = Origin(KEYRING, Incarnation("00000099"), time.time)


class Ear:
    """Records the questions that reach a node, which answers them as usual when it is let."""

    def __init__(self, node: ChannelNode) -> None:
        self.heard: list[Channel] = []
        self.held: list[Callable[[], None]] | None = None
        self._presence = node.clients.channels.presence
        node.engine.broker.attach_questions(self._on_question)

    def hold(self) -> None:
        """Answer nothing until `let_go`."""
        self.held = []

    def let_go(self) -> None:
        """Answer what was held, and from now on at once."""
        held, self.held = self.held or [], None
        for answer in held:
            answer()

    def _on_question(self, channel: Channel, question: bytes, answer: Answer) -> None:
        self.heard.append(channel)
        if self.held is None:
            self._presence.on_question(channel, question, answer)
        else:
            self.held.append(lambda: self._presence.on_question(channel, question, answer))


async def start_three(start_node: StartNode, **settings: Any) -> list[ChannelNode]:
    return [await start_node(f"n{number}", namespaces=NAMESPACES, **settings) for number in (1, 2, 3)]


async def present(peer: Peer, channel: str = C) -> set[str]:
    return set((await peer.ask(presence={"channel": channel}))["presence"]["presence"])


async def counted(peer: Peer, channel: str = C) -> int:
    return (await peer.ask(presence_stats={"channel": channel}))["presence_stats"]["num_clients"]  # type: ignore[no-any-return]


async def test_only_nodes_that_have_the_channel_are_asked_and_nobody_subscribes_for_it(
    start_node: StartNode, dial: Dial
) -> None:  # P-9.7
    one, two, three = await start_three(start_node)
    ears = [Ear(node) for node in (one, two, three)]
    asker = await dial(one, connect=True)
    _, client = await come(dial, two, C)
    await come(dial, three, "other")
    assert await present(asker) == {client}
    assert [ear.heard for ear in ears] == [[], [C], []]
    assert len(one.clients.channels.streams.interest) == 0


async def test_all_that_ask_at_one_node_share_one_question(start_node: StartNode, dial: Dial) -> None:
    one, two, _ = await start_three(start_node, presence_keep_s=60.0)
    ear = Ear(two)
    peers = [(await come(dial, node, C))[0] for node in (one, two, one, one)]
    askers = [peers[0], *peers[2:]]
    assert [len(clients) for clients in await asyncio.gather(*map(present, askers))] == [4, 4, 4]
    assert await asyncio.gather(*map(counted, askers)) == [4, 4, 4]
    assert len(ear.heard) == 1


async def test_what_many_nodes_ask_in_one_turn_is_answered_once(
    start_node: StartNode, dial: Dial, hub: MemoryHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, *_ = await start_three(start_node)
    _, client = await come(dial, one, C)
    presence = one.clients.channels.presence
    made: list[PresenceQuestion] = []
    answer = presence.answer
    monkeypatch.setattr(presence, "answer", lambda question: made.append(question) or answer(question))
    for turn in (1, 2):
        sent: list[bytes] = []
        for number in range(1, 10):
            question = Origin(KEYRING, Incarnation(f"{number:08x}"), time.time).seal(
                QUESTION, C, encode(PresenceQuestion(C, 10))
            )
            if number > 3:  # else it is a node's own
                presence.on_question(C, question, sent.append)
        assert len(made) == turn
        assert [decode_answer(open_envelope(one, ANSWER).body).to for one in sent] == [1] * 6
        assert all(client.encode() in one for one in sent)
        await asyncio.sleep(0.01)


async def test_names_are_asked_for_once_where_clients_were_only_counted(start_node: StartNode, dial: Dial) -> None:
    one, two, _ = await start_three(start_node, presence_keep_s=60.0, presence_clients_max=3)
    ear = Ear(two)
    peers = [(await come(dial, two, C))[0] for _ in range(3)]
    asker = await dial(one, connect=True)
    assert await counted(asker) == 3
    assert len(await present(asker)) == 3
    assert len(ear.heard) == 1
    await come(dial, one, C)
    for _ in range(2):
        assert await counted(asker) == 4
        assert (await asker.ask(presence={"channel": C}))["error"]["code"] == 106
    assert len(ear.heard) == 1
    assert len(peers) == 3


async def test_what_changes_at_this_node_is_seen_at_once(start_node: StartNode, dial: Dial) -> None:
    one, two, _ = await start_three(start_node, presence_keep_s=60.0)
    ear = Ear(two)
    _, first = await come(dial, two, C)
    asker = await dial(one, connect=True)
    assert await present(asker) == {first}
    peer, second = await come(dial, one, C)
    assert await present(asker) == {first, second}
    assert await counted(asker) == 2
    await peer.ask(unsubscribe={"channel": C})
    assert await present(asker) == {first}
    assert len(ear.heard) == 1


async def test_what_changes_at_other_nodes_is_seen_after_a_moment(start_node: StartNode, dial: Dial) -> None:
    one, two, _ = await start_three(start_node, presence_keep_s=0.3)
    _, first = await come(dial, two, C)
    asker = await dial(one, connect=True)
    assert await present(asker) == {first}
    _, second = await come(dial, two, C)
    async with asyncio.timeout(10):
        while await present(asker) != {first, second}:
            await asyncio.sleep(0.02)


async def test_what_another_node_publishes_is_seen_at_once(start_node: StartNode, dial: Dial) -> None:
    one, two, _ = await start_three(start_node, presence_keep_s=60.0)
    watcher, own = await come(dial, one, "live:c", join_leave=True)
    await watcher.push()
    assert await present(watcher, "live:c") == {own}
    other, client = await come(dial, two, "live:c")
    assert "join" in await watcher.push()
    assert await present(watcher, "live:c") == {own, client}
    other.abort()
    assert "leave" in await watcher.push()
    assert await present(watcher, "live:c") == {own}


async def test_a_node_that_was_too_late_is_seen_by_those_that_ask_next(start_node: StartNode, dial: Dial) -> None:
    one, two, _ = await start_three(start_node, presence_keep_s=60.0, presence_deadline_s=0.1)
    ear = Ear(two)
    _, client = await come(dial, two, C)
    asker, own = await come(dial, one, C)
    ear.hold()
    assert await present(asker) == {own}
    ear.let_go()
    async with asyncio.timeout(10):
        while await present(asker) != {own, client}:
            await asyncio.sleep(0.01)
    assert len(ear.heard) == 1


async def test_a_client_that_joins_while_it_is_asked_is_in_the_answer_once(start_node: StartNode, dial: Dial) -> None:
    one, two, _ = await start_three(start_node)
    ear = Ear(two)
    await come(dial, two, C)
    asker, _ = await come(dial, one, C)
    ear.hold()
    asking = asyncio.create_task(present(asker))
    await eventually(lambda: ear.held is not None and len(ear.held) == 1)
    await come(dial, one, C)
    await come(dial, two, C)
    ear.let_go()
    assert len(await asking) == await counted(asker) == 4


async def test_above_the_maximum_under_way_a_question_is_refused_for_a_time(
    start_node: StartNode, dial: Dial, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gathers, "UNDER_WAY_MAX", 1)
    one, two, _ = await start_three(start_node)
    ear = Ear(two)
    await come(dial, two, C)
    first, second = [await dial(one, connect=True) for _ in range(2)]
    ear.hold()
    asking = asyncio.create_task(present(first))
    await eventually(lambda: ear.held is not None and len(ear.held) == 1)
    error = (await second.ask(presence={"channel": "d"}))["error"]
    assert (error["code"], error["temporary"]) == (111, True)
    ear.let_go()
    assert len(await asking) == 1
    assert await present(second, "d") == set()


async def test_beyond_the_maximum_kept_the_oldest_is_asked_anew(
    start_node: StartNode, dial: Dial, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gathers, "GATHERS_MAX", 2)
    one, two, _ = await start_three(start_node, presence_keep_s=60.0)
    ear = Ear(two)
    for channel in "abc":
        await come(dial, two, channel)
    asker = await dial(one, connect=True)
    for channel in ("a", "b", "c", "c", "b", "a"):
        assert len(await present(asker, channel)) == 1
    assert ear.heard == ["a", "b", "c", "a"]


async def test_what_is_kept_is_bounded_in_bytes(
    start_node: StartNode, dial: Dial, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gathers, "BYTES_MAX", 600)
    one, two, _ = await start_three(start_node, presence_keep_s=60.0)
    ear = Ear(two)
    for channel in "aaab":
        await come(dial, two, channel)
    asker = await dial(one, connect=True)
    assert [len(await present(asker, channel)) for channel in "aabba"] == [3, 3, 1, 1, 3]
    assert ear.heard == ["a", "b", "a"]


async def test_what_cannot_be_read_is_counted_and_answered_by_nobody(
    start_node: StartNode, dial: Dial, hub: MemoryHub
) -> None:
    one, two, _ = await start_three(start_node, presence_deadline_s=0.2)
    _, client = await come(dial, two, C)
    foreign = hub.open()
    answers: list[bytes] = []

    class Answers:
        def on_receivers(self, count: int) -> None:
            assert count == 1

        def on_answer(self, answer: bytes) -> None:
            answers.append(answer)

    for bad in (
        b"", b"q", b"p" + bytes(40), STRANGER.seal(QUESTION, Channel("elsewhere"), b"{}"),
        STRANGER.seal(QUESTION, C, b"\xff"), STRANGER.seal(ANSWER, C, b"{}"),
        STRANGER.seal(QUESTION, C, encode(PresenceQuestion(Channel("elsewhere")))),
    ):  # fmt: skip
        await foreign.broker.ask_subscribers(C, bad, Answers())
    await foreign.broker.ask_subscribers(C, STRANGER.seal(QUESTION, C, encode(PresenceQuestion(C, 10))), Answers())
    await eventually(lambda: len(answers) == 1)
    assert two.stats.malformed == 3
    assert sum(two.refusals.counts.values()) == 4
    assert client.encode() in open_envelope(answers[0], ANSWER).body
    await foreign.broker.subscribe(C)
    asker = await dial(one, connect=True)

    def lie(channel: Channel, payload: bytes, answer: Answer) -> None:
        liar = PresenceAnswer(to=99, clients={"x": ClientInfo("", "x")}, count=1)
        asked = open_envelope(payload, QUESTION)
        for bad in (
            b"", b"a", payload, STRANGER.seal(ANSWER, C, encode(liar)), STRANGER.seal_answer(C, asked, b"[]"),
            STRANGER.seal_answer(C, asked, encode(liar)),
        ):  # fmt: skip
            answer(bad)

    foreign.broker.attach_questions(lie)
    assert await present(asker) == {client}
    assert one.stats.malformed == 2
    assert sum(one.refusals.counts.values()) == 4
    assert not two.stats.errors
