"""Answers to a GET, from bytes to what the caller gets."""

import asyncio

import pytest

from ringway.net.http_get import (
    AnswerCutOff,
    AnswerNotHttp,
    AnswerTooLong,
    ArrivingAnswer,
    HttpAnswer,
    HttpAnswerError,
    read_answer,
    read_status,
)

OK = b"HTTP/1.1 200 OK\r\n"


def stream(data: bytes) -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    reader.feed_data(data)
    reader.feed_eof()
    return reader


@pytest.mark.parametrize(
    ("line", "status"), [(b"HTTP/1.1 200 OK\r\n", 200), (b"HTTP/1.0 204\r\n", 204), (b"HTTP/1.1 503 Down\r\n", 503)]
)
async def test_the_status_line_is_enough_for_a_status(line: bytes, status: int) -> None:
    assert await read_status(stream(line)) == status


@pytest.mark.parametrize("line", [b"", b"SSH-2.0\r\n", b"HTTP/1.1 2000 x\r\n", b"HTTP/1.1 x\r\n", b"HTTP/2 200\r\n"])
async def test_a_line_that_is_no_status_line_is_not_http(line: bytes) -> None:
    with pytest.raises(AnswerNotHttp):
        await read_status(stream(line))


@pytest.mark.parametrize(
    ("data", "answer"),
    [
        (OK + b"Content-Length: 2\r\n\r\nhi", HttpAnswer(200, (("content-length", "2"),), b"hi")),
        (
            OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
            HttpAnswer(200, (("transfer-encoding", "chunked"),), b"hi"),
        ),
        (OK + b"X-Y:  z \r\n\r\nhi", HttpAnswer(200, (("x-y", "z"),), b"hi", complete=False)),
        (b"HTTP/1.1 204 None\r\n\r\n", HttpAnswer(204, (), b"")),
    ],
    ids=["length", "chunked", "until the end", "no body"],
)
async def test_answers_are_read_to_their_end(data: bytes, answer: HttpAnswer) -> None:
    assert await read_answer(stream(data), 1000) == answer


@pytest.mark.parametrize(
    ("data", "error", "says"),
    [
        (b"", AnswerCutOff, "without an answer"),
        (OK, AnswerCutOff, "cut off"),
        (OK + b"Content-Length: 3\r\n\r\nhi", AnswerCutOff, "cut off"),
        (b"nonsense\r\n\r\n", AnswerNotHttp, "not HTTP"),
        (OK + b"\r\n" + b"x" * 1000, AnswerTooLong, "more than 1000 bytes"),
    ],
    ids=["nothing", "no head", "half a body", "no HTTP", "too long"],
)
async def test_what_is_no_answer_is_named(data: bytes, error: type[HttpAnswerError], says: str) -> None:
    with pytest.raises(error, match=says):
        await read_answer(stream(data), 1000)


async def test_an_answer_is_read_while_it_comes() -> None:
    reader = asyncio.StreamReader()
    answer = ArrivingAnswer(reader)
    reader.feed_data(OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\none\r\n")
    assert await answer.read_head() == 200
    assert answer.take_body() == b"one"
    reader.feed_data(b"3\r\ntwo\r\n0\r\n\r\n")
    assert await answer.read_more()
    assert answer.take_body() == b"two"
    assert answer.complete
    assert not await answer.read_more()


async def test_an_answer_that_is_cut_off_while_it_comes_is_no_end() -> None:
    answer = ArrivingAnswer(stream(OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\none\r\n"))
    assert await answer.read_head() == 200
    with pytest.raises(AnswerCutOff, match="cut off"):
        await answer.read_more()


async def test_a_head_has_a_bound() -> None:
    answer = ArrivingAnswer(stream(OK + b"X: " + b"x" * 2000))
    with pytest.raises(AnswerTooLong):
        await answer.read_head(1000)
