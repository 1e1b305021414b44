"""HTTP, Prometheus and agents over real sockets: answers of every form, and unusable answers."""

import asyncio

import pytest

from integration.collect.kit import NODE, answering
from ringway.collect.collector import CollectFailed
from ringway.collect.http import BODY_BYTES_MAX
from ringway.collect.sources import read_probes
from ringway.core.custom.agent import Words

OK = b"HTTP/1.1 200 OK\r\n"
JSON = b'{"load": [0.5, 7]}'
PAGE = b'# TYPE x gauge\nx{a="1"} 3.5\nx{a="2"} 4\n'


def sized(body: bytes, head: bytes = OK) -> bytes:
    return head + b"Content-Length: %d\r\n\r\n" % len(body) + body


def chunked(*pieces: bytes) -> bytes:
    return OK + b"Transfer-Encoding: chunked\r\n\r\n" + b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in (*pieces, b""))


async def ask(spec: str, *pieces: bytes, hold: bool = False) -> tuple[float | Words, bytes]:
    """Return the value of a collector for the answer `pieces`, and its request."""
    async with answering(*pieces, hold=hold) as (port, asked):
        (probe,) = read_probes((spec.format(port=port, host="{host}", name="{name}"),), {"TOKEN": "t0ken"})
        async with asyncio.timeout(30):
            found = await probe.collector.collect(NODE)
        return found, asked[0]


@pytest.mark.parametrize(
    "pieces",
    [
        (sized(JSON),),
        (sized(JSON)[:30], sized(JSON)[30:]),
        (chunked(JSON[:5], JSON[5:]),),
        (OK + b"\r\n" + JSON,),  # until the connection ends
        (OK + b"\r\n", JSON),
    ],
    ids=["sized", "in pieces", "chunked", "unsized", "unsized in pieces"],
)
async def test_a_document_comes_in_every_form(pieces):
    value, asked = await ask("m=http://{host}:{port}/status?node={name},path=load.0,bearer=$TOKEN", *pieces)
    assert value == 0.5
    lines = asked.decode().split("\r\n")
    assert lines[0] == "GET /status?node=n1 HTTP/1.1"
    assert "Authorization: Bearer t0ken" in lines
    assert "Connection: close" in lines


async def test_a_complete_answer_is_not_waited_on():
    value, _ = await ask("m=http://{host}:{port},path=load.1", sized(JSON), hold=True)
    assert value == 7


async def test_a_sample_of_a_page():
    value, asked = await ask('m=http://{host}:{port}/metrics,metric=x{{a="1"}}', sized(PAGE))
    assert value == 3.5
    assert asked.startswith(b"GET /metrics HTTP/1.1\r\n")


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (b"", "the connection was closed without an answer"),
        (b"nonsense\r\n\r\n", "the answer is not HTTP"),
        (sized(JSON)[:-3], "the answer was cut off"),
        (chunked(JSON)[:-9], "the answer was cut off"),
        (OK, "the answer"),
        (sized(JSON, b"HTTP/1.1 503 Busy\r\n"), "the answer has the status 503; it must be 200"),
        (b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n", "the status 302"),
        (sized(b"much"), "the JSON of the answer cannot be read"),
        (sized(b'{"load": ["0.5"]}'), "the value at 'load.0' is no number but a text"),
        (sized(b'{"load": []}'), "the document has no 'load.0'"),
        (OK + b"\r\n" + b" " * (BODY_BYTES_MAX + 1), f"more than {BODY_BYTES_MAX} bytes"),
        (OK + b"X: " + b"y" * (BODY_BYTES_MAX + 1), "the answer"),
    ],
)
async def test_what_is_no_answer_is_told(answer, problem):
    with pytest.raises(CollectFailed, match=problem):
        await ask("m=http://{host}:{port},path=load.0", answer)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"75%\n", Words(share=0.75)),
        (b"up ready 50%\r\n", Words(share=0.5, admin="ready", down="")),
        (b"down#disk full", Words(down="down (disk full)")),
    ],
)
async def test_an_agent_is_understood(answer, words):
    assert await ask("m=agent://{host}:{port},send=n1", answer) == (words, b"n1\n")


async def test_an_agents_line_is_enough():
    assert (await ask("m=agent://{host}:{port},send=n1", b"drain\n", hold=True))[0] == Words(admin="drain")


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (b"", "has no word of an agent check"),
        (b"hello\n", "the line 'hello' has no word"),
        (b"\xff\xfe\x00\n", "has no word"),
        (b"x" * 5000, "the agent's line has more than 1024 bytes"),
    ],
)
async def test_what_is_no_agent_is_told(answer, problem):
    with pytest.raises(CollectFailed, match=problem):
        await ask("m=agent://{host}:{port},send=n1", answer)


@pytest.mark.parametrize("spec", ["m=http://{{host}}:{port}", "m=agent://{{host}}:{port}"])
async def test_nobody_listening_is_an_os_error(spec):
    async with answering() as (port, _):
        pass
    (probe,) = read_probes((spec.format(port=port),))
    with pytest.raises(OSError, match="Connect call failed"):
        await probe.collector.collect(NODE)
