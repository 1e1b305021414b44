"""The log's writer never blocks its callers, and reports its losses."""

import os
import threading

import pytest

from ringway.app.log_writer import RETRY_S, LogWriter


def notice(count: int) -> str:
    return f"lost {count}"


def read_all(descriptor: int) -> list[str]:
    raw = b""
    while piece := os.read(descriptor, 65536):
        raw += piece
    return raw.decode().splitlines()


@pytest.fixture
def pipe():
    reading, writing = os.pipe()
    ends = {"reading": reading, "writing": writing}
    yield ends
    for end in ends.values():
        os.close(end)


def fill(descriptor: int) -> int:
    os.set_blocking(descriptor, False)
    size = 0
    try:
        while True:
            size += os.write(descriptor, b"." * 4096)
    except BlockingIOError:
        os.set_blocking(descriptor, True)
        return size


def test_lines_are_written_in_order(pipe):
    writer = LogWriter(pipe["writing"], 1 << 20, notice)
    for number in range(1000):
        writer.write(f"line {number}")
    writer.close(5.0)
    os.close(pipe.pop("writing"))
    assert read_all(pipe["reading"]) == [f"line {number}" for number in range(1000)]
    assert (writer.lines, writer.dropped) == (1000, 0)


def test_a_pipe_that_nobody_reads_holds_nobody_up_and_what_is_lost_is_told_later(pipe):
    filled = fill(pipe["writing"])
    writer = LogWriter(pipe["writing"], 10_000, notice)
    for _ in range(1000):
        writer.write("x" * 99)  # 100 bytes with its end
    writer.close(0.0)  # returns at once, though nothing can be written
    assert writer.dropped == 900
    os.read(pipe["reading"], filled)  # somebody reads after all

    raw = b""
    while raw.count(b"\n") < 101:
        raw += os.read(pipe["reading"], 1 << 20)
    lines = raw.decode().splitlines()
    assert lines.count("x" * 99) == 100
    assert "lost 900" in lines


def test_a_full_disk_loses_lines_and_nothing_else():
    descriptor = os.open("/dev/full", os.O_WRONLY)
    writer = LogWriter(descriptor, 1 << 20, notice)
    for number in range(100):
        writer.write(f"line {number}")
    writer.close(5.0)
    os.close(descriptor)
    assert writer.dropped == 100


def test_a_reader_that_is_gone_loses_lines_and_nothing_else(pipe):
    os.close(pipe.pop("reading"))
    writer = LogWriter(pipe["writing"], 1 << 20, notice)
    writer.write("to nobody")
    writer.close(5.0)
    assert writer.dropped == 1


def test_no_stream_at_all_loses_all_lines():
    writer = LogWriter(None, 1 << 20, notice)
    writer.write("to nobody")
    writer.close(5.0)
    assert writer.dropped == 1


def test_what_comes_behind_a_torn_line_stands_on_a_line_of_its_own(tmp_path, monkeypatch):
    """A disk can fill up in the midst of a line."""
    target = os.open(tmp_path / "log", os.O_WRONLY | os.O_CREAT)
    room = [5]
    full = threading.Event()
    write = os.write

    def narrow(descriptor, data):
        if descriptor != target:
            return write(descriptor, data)
        if not room[0]:
            full.set()
            raise OSError(28, "No space left on device")
        size = write(descriptor, data[: room[0]])
        room[0] -= size
        return size

    monkeypatch.setattr(os, "write", narrow)
    writer = LogWriter(target, 1 << 20, notice)
    writer.write("first line")
    assert full.wait(30)
    room[0] = 1 << 20
    writer.write("second line")
    writer.close(10 * RETRY_S)
    os.close(target)
    assert (tmp_path / "log").read_text().splitlines() == ["first", "lost 1", "second line"]


def test_halves_of_pairs_are_written_as_their_numbers(pipe):
    writer = LogWriter(pipe["writing"], 1 << 20, notice)
    writer.write("hi \ud83d")
    writer.close(5.0)
    os.close(pipe.pop("writing"))
    assert read_all(pipe["reading"]) == ["hi \\ud83d"]


def test_what_is_due_is_written_without_another_line(pipe):
    due = []
    writer = LogWriter(pipe["writing"], 1 << 20, notice, lambda: [due.pop()] if due else [], lambda: bool(due))
    due.append("a summary")
    writer.wake()
    assert os.read(pipe["reading"], 100) == b"a summary\n"
    writer.close(5.0)
