"""Backends from a Eureka registry, served on loopback: each test plays answers, and reads what the sink is told."""

import asyncio
import random
import time
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from ringway.sources.eureka.config import EurekaConfig
from ringway.sources.eureka.source import EurekaSource
from ringway.tasks import Tasks
from support.api_player import PATIENCE_S, ApiPlayer, play_api
from support.eureka_traffic import UNKNOWN_APPLICATION, application, instance
from support.recording_sink import RecordingSink

A, B = "127.0.0.1-chat-1", "127.0.0.1-chat-2"


class Asking:
    """A source that asks a played registry, and its sink."""

    def __init__(self, player: ApiPlayer, sink: RecordingSink, source: EurekaSource) -> None:
        self.player = player
        self.sink = sink
        self.source = source

    async def becomes(self, **states: str) -> None:
        await self.eventually(lambda: self.sink.states == {f"127.0.0.1-chat-{n[1:]}": s for n, s in states.items()})

    async def tells(self, words: str) -> None:
        await self.eventually(lambda: any(words in problem for problem in self.sink.problems.values()))

    async def recovers(self) -> None:
        await self.eventually(lambda: not any(self.sink.problems.values()))

    async def eventually(self, condition) -> None:  # type: ignore[no-untyped-def]
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < deadline, (self.sink.states, self.sink.problems)
            await asyncio.sleep(0.005)


@asynccontextmanager
async def asking(**settings: object) -> AsyncIterator[Asking]:
    async with play_api() as player:
        sink = RecordingSink()
        config = EurekaConfig(**{"poll_s": 0.05, **settings})  # type: ignore[arg-type]
        source = EurekaSource(f"eureka+{player.url}/eureka,app=CHAT", config, sink, random.Random(1))
        tasks = Tasks()
        tasks.spawn(source.run(), name=source.name)
        try:
            yield Asking(player, sink, source)
            assert len(tasks) == 1
        finally:
            await tasks.aclose()


async def test_an_application_is_read_in_json_again_and_again() -> None:
    async with asking() as asked:
        request = await asked.player.next_request()
        assert request.path == "/eureka/apps/CHAT"
        assert request.headers["accept"] == "application/json"
        request.answer(application(instance(1), instance(2, "STARTING")))
        await asked.becomes(n1="up")
        (await asked.player.next_request()).answer(application(instance(1, "OUT_OF_SERVICE"), instance(2)))
        await asked.becomes(n1="draining", n2="up")
        (await asked.player.next_request()).answer(application(instance(1, "DOWN"), instance(2)))
        await asked.becomes(n2="up")
        assert asked.sink.lost == []
        assert asked.sink.told == []


async def test_an_unknown_application_is_told_and_the_last_backends_stay() -> None:
    async with asking() as asked:
        (await asked.player.next_request()).answer(application(instance(1)))
        (await asked.player.next_request()).answer(UNKNOWN_APPLICATION, 404)
        await asked.tells("the registry knows no instance of CHAT")
        await asked.becomes(n1="up")
        (await asked.player.next_request()).answer(application(instance(1)))
        await asked.recovers()


async def test_answers_that_cannot_be_used_are_told_and_the_last_backends_stay() -> None:
    async with asking() as asked:
        (await asked.player.next_request()).answer(application(instance(1)))
        (await asked.player.next_request()).answer({}, 500)
        await asked.tells("the registry answers 500 at ")
        (await asked.player.next_request()).answer(application(instance(1))[:40])
        await asked.tells("its answer cannot be used")
        (await asked.player.next_request()).cut()
        await asked.tells("the connection was closed without an answer")
        request = (await asked.player.next_request()).begin()
        request.send(application(instance(1))[:40])
        request.finish()
        await asked.tells("its answer cannot be used")
        await asked.becomes(n1="up")
        (await asked.player.next_request()).answer(application(instance(1), instance(2)))
        await asked.becomes(n1="up", n2="up")
        await asked.recovers()


async def test_a_registry_that_does_not_answer_is_told_and_asked_again() -> None:
    async with asking(timeout_s=0.2) as asked:
        await asked.player.next_request()
        await asked.tells("the registry does not answer within 0.2 s")
        await asked.player.next_request()


async def test_credentials_are_read_from_their_file_for_each_request(tmp_path: Path) -> None:
    file = tmp_path / "credentials"
    file.write_text("ann:one\n")
    async with asking(credentials_file=str(file)) as asked:
        request = await asked.player.next_request()
        assert request.headers["authorization"] == "Basic " + b64encode(b"ann:one").decode()
        request.answer({}, 401)
        await asked.tells(f"the registry answers 401: check the credentials in {file}")
        file.unlink()
        await asked.tells("the credentials for the registry cannot be read")
        file.write_text("ann:two")
        request = await asked.player.next_request()
        assert request.headers["authorization"] == "Basic " + b64encode(b"ann:two").decode()


async def test_a_registry_that_wants_credentials_says_how_to_give_them() -> None:
    async with asking() as asked:
        (await asked.player.next_request()).answer({}, 401)
        await asked.tells("the registry answers 401: give --eureka-credentials-file")


async def test_a_hangup_asks_at_once() -> None:
    async with asking(poll_s=3600) as asked:
        request = await asked.player.next_request()
        assert not asked.source.asked.is_set()
        request.answer(application(instance(1)))
        await asked.becomes(n1="up")
        await asked.source.asked.wait()
        asked.source.on_hangup()
        (await asked.player.next_request()).answer(application(instance(1), instance(2)))
        await asked.becomes(n1="up", n2="up")
