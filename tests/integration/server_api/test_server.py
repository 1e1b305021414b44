"""`ringway.Server`: which node it calls, what it repeats, and what it raises where none answers."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

import ringway
from integration.node.conftest import StartNode
from integration.server_api.kit import KEY, serving
from integration.system.test_documents import blocks
from support.system import free_port

OK = b'{"result":{}}'


class Scripted:
    """A server that counts the calls, and answers each as it is told."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.answer: Callable[[], bytes | None] = lambda: http(200, OK)
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                length = next(int(line[15:]) for line in head.split("\r\n") if line.startswith("Content-Length:"))
                await reader.readexactly(length)
                self.calls.append(head.split()[1])
                answer = self.answer()
                if answer is None:
                    await asyncio.sleep(3600)
                elif not answer:
                    return
                else:
                    writer.write(answer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


def http(status: int, body: bytes) -> bytes:
    return b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body)


@asynccontextmanager
async def scripted() -> AsyncIterator[Scripted]:
    server = Scripted()
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    yield server
    listening.close()


@pytest.fixture
async def pair() -> AsyncIterator[tuple[Scripted, Scripted]]:
    async with scripted() as one, scripted() as two:
        yield one, two


def away() -> str:
    return f"http://127.0.0.1:{free_port()}"


async def test_calls_go_to_the_next_node_where_one_cannot_be_reached(start_node: StartNode) -> None:
    node = await start_node(namespaces=("default:history_size=5",))
    async with serving(node) as port, ringway.Server([away(), f"{port.url}/api/"], key=KEY) as server:
        for number in range(1, 4):
            assert (await server.publish("room", number)).offset == number


async def test_the_node_that_answered_is_asked_first_from_then_on(pair: tuple[Scripted, Scripted]) -> None:
    one, two = pair
    one.answer = lambda: http(503, b"no node")
    async with ringway.Server([one.url, two.url]) as server:
        for _ in range(3):
            await server.unsubscribe("u")
    assert (len(one.calls), len(two.calls)) == (1, 3)
    assert set(two.calls) == {"/api/unsubscribe"}


LOST = {"cut": b"", "no HTTP": b"strange\r\n\r\n", "away": http(502, b""), "hangs": None}


@pytest.mark.parametrize("answer", LOST.values(), ids=LOST)
async def test_a_lost_answer_is_asked_for_again_only_where_that_is_harmless(
    pair: tuple[Scripted, Scripted], answer: bytes | None
) -> None:
    one, two = pair
    one.answer = lambda: answer
    async with ringway.Server([one.url, two.url], attempt_timeout_s=0.2, timeout_s=60) as server:
        with pytest.raises(OSError, match=one.url):  # TimeoutError is one, too
            await server.publish("room", 1)
        assert (len(one.calls), len(two.calls)) == (1, 0)
        await server.publish("room", 1, idempotency_key="k")
        assert (len(one.calls), len(two.calls)) == (2, 1)
        await server.disconnect("carol")
        assert len(two.calls) == 2


async def test_what_no_node_answers_is_raised(pair: tuple[Scripted, Scripted]) -> None:
    async with ringway.Server([away(), away()]) as server:
        with pytest.raises(ConnectionRefusedError):
            await server.channels()
    pair[0].answer = lambda: None
    async with ringway.Server(pair[0].url, timeout_s=0.2) as server:
        with pytest.raises(TimeoutError, match=r"no answer to channels within 0.2 s"):
            await server.channels()


async def test_refusals_have_their_code(start_node: StartNode) -> None:
    async with serving(await start_node()) as port:
        async with ringway.Server(port.url, key="another key of tests") as server:
            with pytest.raises(ringway.CommandError) as refused:
                await server.publish("room", 1)
            assert refused.value.code == 101
        async with ringway.Server(port.url, key=KEY) as server:
            with pytest.raises(ringway.CommandError) as refused:
                await server.publish("", 1)
            assert (refused.value.code, refused.value.temporary) == (107, False)


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (http(404, b"<html>"), "answered 404, and is not the server API of a node"),
        (http(200, b"<html>"), "cannot be read"),
        (http(200, b'{"result":{"channels":7}}'), "cannot be read"),
    ],
    ids=["page", "no JSON", "strange result"],
)
async def test_what_is_no_answer_of_the_api_is_named(
    pair: tuple[Scripted, Scripted], answer: bytes, problem: str
) -> None:
    pair[0].answer = lambda: answer
    async with ringway.Server(pair[0].url) as server:
        with pytest.raises(ringway.CommandError, match=problem):
            await server.channels()


async def test_calls_under_way_are_bounded_and_share_connections(pair: tuple[Scripted, Scripted]) -> None:
    async with ringway.Server(pair[0].url, connections_max=2) as server:
        await asyncio.gather(*(server.unsubscribe("u") for _ in range(20)))
    assert len(pair[0].calls) == 20


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"url": []}, "no URL is given"),
        ({"url": "localhost:9200"}, "must begin with http"),
        ({"url": "http://key@localhost"}, "holds credentials; give the API key as `key`"),
        ({"url": "http://localhost", "key": "a\nb"}, "API key has characters"),
        ({"url": "http://localhost", "timeout_s": 0}, "cannot work"),
    ],
    ids=["no URL", "no scheme", "credentials", "key", "time"],
)
def test_arguments_that_cannot_work_are_refused(arguments: dict[str, Any], problem: str) -> None:
    with pytest.raises(ringway.ConfigError, match=problem):
        ringway.Server(**arguments)


async def test_the_program_of_the_documents_runs(start_node: StartNode, capsys: pytest.CaptureFixture[str]) -> None:
    [program] = [block for block in blocks("docs/howto/server-api.md", "python") if "ringway.Server(" in block]
    node = await start_node(namespaces=("default:history_size=5",))
    async with serving(node) as port:
        program = program.replace("http://127.0.0.1:9200", away()).replace("http://127.0.0.1:9201", port.url)
        code = program.replace("THE KEY", KEY).replace("asyncio.run(main())", "")
        found: dict[str, Any] = {}
        exec(code, found)
        await found["main"]()
    assert capsys.readouterr().out == "1 PresenceStats(clients=0, users=0)\n"
