"""Headers of NATS's messages, read without building objects: this is on the hot path.

A header is `NATS/1.0[ status]`, then a line `Name: value` for each entry, then an empty line; lines end with CR LF.
Values from elsewhere (`Nats-Msg-Id`) cannot contain a line end, so a name behind a line end is always a name.
"""

SEQUENCE = b"\r\nNats-Sequence: "
LAST_SEQUENCE = b"\r\nNats-Last-Sequence: "
PENDING = b"\r\nNats-Num-Pending: "

REMOVED = b"\r\nRingway-Removed: "
"""In the header of a mark (`history.NatsHistory.remove`): its subject's publications up to this offset were removed."""

END_OF_BATCH = b"NATS/1.0 204"
NOT_FOUND = b"NATS/1.0 404"
NO_RESPONDERS = b"NATS/1.0 503"
_STATUS = b"NATS/1.0 "

OFFSET_END = 1 << 63
"""The first number that is too large for an offset."""


def number(header: bytes, name: bytes) -> int:
    """Return the number that follows `name` (one of the names above), or 0 if it is absent."""
    start = header.find(name)
    if start < 0:
        return 0
    start += len(name)
    return int(header[start : header.index(b"\r", start)])


def place(header: bytes) -> tuple[int, int]:
    """Return offset and previous (`ports.Deliver`) of a republished message; zeros for a message without history.

    A header that no stream has written counts as none.
    """
    start = header.find(SEQUENCE)
    if start < 0:
        return 0, 0
    try:
        end = header.index(b"\r", start + 17)
        last = header.index(LAST_SEQUENCE, end) + 22  # NATS writes it behind the sequence
        offset, previous = int(header[start + 17 : end]), int(header[last : header.index(b"\r", last)])
    except ValueError:
        return 0, 0
    return (offset, previous) if 0 <= previous < offset < OFFSET_END else (0, 0)


def status(header: bytes) -> str:
    """Return the status and its words, such as `404 Message Not Found`; empty if the header has no status."""
    if not header.startswith(_STATUS):
        return ""
    return header[len(_STATUS) : header.index(b"\r")].decode(errors="replace")


def mark_of_removal(sequence: int) -> bytes:
    """Return the header of a mark: all up to `sequence`, the newest of its subject, is removed."""
    return expected_last(sequence)[:-2] + REMOVED[2:] + b"%d\r\n\r\n" % sequence


def expected_last(sequence: int) -> bytes:
    """Return a header: store the message only if `sequence` is the newest of its subject, 0 if it has none."""
    return b"NATS/1.0\r\nNats-Expected-Last-Subject-Sequence: %d\r\n\r\n" % sequence
