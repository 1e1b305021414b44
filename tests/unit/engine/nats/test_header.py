"""Headers of NATS, as nats-server 2.15 writes them."""

import pytest

from ringway.engine.nats.header import LAST_SEQUENCE, PENDING, REMOVED, SEQUENCE, mark_of_removal, number, place, status

REPUBLISHED = (
    b"NATS/1.0\r\nNats-Stream: rw=c=chat\r\nNats-Subject: rw.c.kept.chat.a\r\nNats-Sequence: 42\r\n"
    b"Nats-Time-Stamp: 2026-11-25T02:35:54.996639309Z\r\nNats-Last-Sequence: 7\r\n\r\n"
)


def test_a_republished_message_has_its_place_and_the_one_before() -> None:
    assert place(REPUBLISHED) == (42, 7)
    first = REPUBLISHED.replace(b"Last-Sequence: 7", b"Last-Sequence: 0")
    assert place(first) == (42, 0)


@pytest.mark.parametrize("header", [b"", b"NATS/1.0\r\n\r\n", b"NATS/1.0\r\nA: Nats-Sequence: 5\r\n\r\n"])
def test_what_is_not_kept_has_no_place(header: bytes) -> None:
    assert place(header) == (0, 0)


def test_the_publishers_own_entries_do_not_confuse() -> None:
    keyed = REPUBLISHED.replace(b"NATS/1.0\r\n", b"NATS/1.0\r\nNats-Msg-Id: Nats-Sequence: 9 Nats-Last-Sequence: 8\r\n")
    assert place(keyed) == (42, 7)


def test_numbers_and_statuses_are_found_or_absent() -> None:
    end = b"NATS/1.0 204 EOB\r\nNats-Num-Pending: 12\r\nNats-Last-Sequence: 42\r\n\r\n"
    assert (number(end, PENDING), number(end, LAST_SEQUENCE), number(end, SEQUENCE)) == (12, 42, 0)
    assert status(end) == "204 EOB"
    assert status(b"NATS/1.0 404 Message Not Found\r\n\r\n") == "404 Message Not Found"
    assert status(REPUBLISHED) == ""
    assert status(b"") == ""


@pytest.mark.parametrize(
    "lines",
    [
        b"Nats-Sequence: 42\r\n", b"Nats-Sequence: 42", b"Nats-Sequence: x\r\nNats-Last-Sequence: 7\r\n",
        b"Nats-Sequence: 42\r\nNats-Last-Sequence: \r\n", b"Nats-Sequence: -1\r\nNats-Last-Sequence: -2\r\n",
        b"Nats-Sequence: 7\r\nNats-Last-Sequence: 7\r\n", b"Nats-Sequence: %d\r\nNats-Last-Sequence: 7\r\n" % (1 << 63),
        b"Nats-Sequence: 42\r\nNats-Last-Sequence: 7",
    ],
)  # fmt: skip
def test_a_place_that_no_stream_has_written_is_none(lines: bytes) -> None:
    """Somebody has published it with headers of his own."""
    assert place(b"NATS/1.0\r\n" + lines) == (0, 0)


def test_a_mark_of_a_removal_names_the_newest_that_was_removed_and_must_follow_it() -> None:
    header = mark_of_removal(41)
    assert header == b"NATS/1.0\r\nNats-Expected-Last-Subject-Sequence: 41\r\nRingway-Removed: 41\r\n\r\n"
    assert number(header, REMOVED) == 41
