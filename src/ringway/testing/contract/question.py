"""Contract of questions to the subscribers of a channel; part of `contract.engine`."""
# ruff: noqa: D102 - the names of the tests are sentences

import asyncio

from ringway.errors import EngineAway
from ringway.ports import Answer, Engine, Retention
from ringway.testing.contract.broker import HOSTILE_NAMES
from ringway.testing.contract.world import PATIENCE_S, Inbox, World, members, raises, until
from ringway.types import Channel

C = Channel("c")


class Replies:
    """What came of one question (`ports.Answers`)."""

    def __init__(self) -> None:
        self.receivers: list[int] = []
        self.got: list[bytes] = []

    def on_receivers(self, count: int) -> None:
        """Note the number."""
        self.receivers.append(count)

    def on_answer(self, answer: bytes) -> None:
        """Note the answer."""
        self.got.append(answer)

    async def count(self, count: int) -> list[bytes]:
        """Return the answers, after `count` have arrived."""
        await until(lambda: len(self.got) >= count)
        return sorted(self.got)


class Answerer:
    """A member that answers each question with its name and the question, and records it."""

    def __init__(self, engine: Engine, name: bytes) -> None:
        self.asked: list[tuple[Channel, bytes]] = []
        self._name = name
        engine.broker.attach_questions(self._on_question)

    def _on_question(self, channel: Channel, question: bytes, answer: Answer) -> None:
        self.asked.append((channel, question))
        answer(self._name + b" " + question)


class QuestionContract:
    """A question reaches exactly the subscribers of its channel, and their answers reach the asker."""

    async def test_each_subscriber_is_asked_once_the_asker_too_and_nobody_else(self, world: World) -> None:
        async with members(world, 3) as (a, b, c):
            answerers = [Answerer(engine, name) for engine, name in ((a, b"a"), (b, b"b"), (c, b"c"))]
            for engine in (a, b):
                await engine.broker.subscribe(C)
            await c.broker.subscribe(Channel("other"))
            for asker in (a, c):
                replies = Replies()
                asked = await asker.broker.ask_subscribers(C, b"?", replies)
                assert await replies.count(2) == [b"a ?", b"b ?"]
                assert replies.receivers in ([], [2])
                asked.close()
            assert [len(answerer.asked) for answerer in answerers] == [2, 2, 0]

    async def test_where_nobody_subscribes_the_asker_hears_so_at_once(self, world: World) -> None:
        async with members(world, 2) as (a, b):
            Answerer(b, b"b")
            await b.broker.subscribe(C)
            await b.broker.subscribe(Channel("other"))
            await b.broker.unsubscribe(C)
            await b.broker.subscribe(Channel("end"))
            replies = Replies()
            await a.broker.ask_subscribers(C, b"?", replies)
            await until(lambda: replies.receivers == [0])
            assert replies.got == []

    async def test_a_subscription_that_returned_is_asked(self, world: World) -> None:
        async with members(world, 2) as (a, b):
            Answerer(b, b"b")
            for number in range(50):
                channel, replies = Channel(f"c{number}"), Replies()
                await b.broker.subscribe(channel)
                await a.broker.ask_subscribers(channel, b"?", replies)
                assert await replies.count(1) == [b"b ?"]

    async def test_questions_are_no_publications_and_publications_no_questions(self, world: World) -> None:
        retention = Retention("kept", 10, 60)
        async with members(world, 2) as (a, b):
            inbox, answerer, replies = Inbox(b), Answerer(b, b"b"), Replies()
            await a.history.keep(retention)
            await b.broker.subscribe(C)
            await a.history.append(C, b"kept", retention)
            await a.broker.ask_subscribers(C, b"?", replies)
            await a.broker.publish(C, b"plain")
            await inbox.count(2)
            assert await replies.count(1) == [b"b ?"]
            assert inbox.got == [(C, b"kept"), (C, b"plain")]
            assert answerer.asked == [(C, b"?")]
            page = await a.history.read(C, retention, 0, 10)
            assert [payload for _, payload in page.publications] == [b"kept"]

    async def test_questions_and_answers_are_bytes_that_nobody_looks_into(self, world: World) -> None:
        payloads = [b"", b"\r\n", b"\n\n", b"+OK\r\n", bytes(range(256)), b"x" * (world.payload_bytes_max // 2)]
        async with members(world, 2) as (a, b):
            answerer = Answerer(b, b"")
            await b.broker.subscribe(C)
            for payload in payloads:
                replies = Replies()
                asked = await a.broker.ask_subscribers(C, payload, replies)
                [answer] = await replies.count(1)
                assert answer == b" " + payload
                asked.close()
            assert [question for _, question in answerer.asked] == payloads

    async def test_many_questions_at_once_get_their_own_answers(self, world: World) -> None:
        names = [Channel(name) for name in HOSTILE_NAMES]
        async with members(world, 3) as (a, b, c):
            for engine, name in ((b, b"b"), (c, b"c")):
                Answerer(engine, name)
                await asyncio.gather(*(engine.broker.subscribe(channel) for channel in names))
            replies = [Replies() for _ in names]
            await asyncio.gather(
                *(
                    a.broker.ask_subscribers(channel, channel.encode(), r)
                    for channel, r in zip(names, replies, strict=True)
                )
            )
            for channel, got in zip(names, replies, strict=True):
                assert await got.count(2) == [b"b " + channel.encode(), b"c " + channel.encode()]

    async def test_a_late_answer_arrives_until_the_question_is_closed(self, world: World) -> None:
        async with members(world, 2) as (a, b):
            waiting: list[Answer] = []
            b.broker.attach_questions(lambda channel, question, answer: waiting.append(answer))
            await b.broker.subscribe(C)
            late, closed, end = Replies(), Replies(), Replies()
            await a.broker.ask_subscribers(C, b"1", late)
            ended = await a.broker.ask_subscribers(C, b"2", closed)
            await a.broker.ask_subscribers(C, b"3", end)
            await until(lambda: len(waiting) == 3)
            ended.close()
            ended.close()
            for answer in waiting:
                answer(b"late")
            assert await end.count(1) == await late.count(1) == [b"late"]
            assert closed.got == []

    async def test_no_question_is_sent_while_the_engine_is_away_and_all_is_well_after(self, world: World) -> None:
        async with members(world, 2) as (a, b):
            Answerer(b, b"b")
            await b.broker.subscribe(C)
            await world.go_away()
            await until(lambda: not a.up and not b.up)
            with raises(EngineAway):
                await a.broker.ask_subscribers(C, b"?", Replies())
            await world.come_back()
            await until(lambda: a.up and b.up)
            replies = Replies()
            async with asyncio.timeout(PATIENCE_S):
                await a.broker.ask_subscribers(C, b"again", replies)
            assert await replies.count(1) == [b"b again"]
