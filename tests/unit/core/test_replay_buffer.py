from ringway.core.replay_buffer import ENTRY_BYTES, ReplayBuffer, ReplayEntry
from ringway.protocol.envelope import JOIN, PUBLICATION, Origin
from ringway.protocol.keyring import Keyring
from ringway.types import Channel, Incarnation

ORIGIN = b"\x01\x02\x03\x04"
SEALED = Origin(Keyring(b"secret"), Incarnation("01020304"), lambda: 0.0).seal(PUBLICATION, Channel("c"), b'{"data":1}')


def seq(number: int) -> bytes:
    return number.to_bytes(8, "big")


def entry(offset: int, number: int = 0, kind: int = PUBLICATION, body: bytes = b"{}") -> ReplayEntry:
    return ReplayEntry(offset, ORIGIN, seq(number), kind, body)


def offsets(found: list[ReplayEntry] | None) -> list[int] | None:
    return None if found is None else [one.offset for one in found]


def test_it_tells_what_came_after_an_offset_and_only_where_it_has_all_of_it():
    buffer = ReplayBuffer(10, 10_000)
    for offset in (12, 15, 16):
        buffer.add(entry(offset))
    assert offsets(buffer.since(10)) == [12, 15, 16]
    assert offsets(buffer.since(11)) == [12, 15, 16]
    assert offsets(buffer.since(15)) == [16]
    assert offsets(buffer.since(99)) == []
    assert buffer.since(9) is None


def test_history_in_front_lets_it_reach_back_further():
    buffer = ReplayBuffer(10, 10_000)
    buffer.add(entry(12))
    buffer.extend(3, [(5, SEALED), (10, SEALED), (12, SEALED)])
    assert offsets(buffer.since(3)) == [5, 10, 12]
    assert offsets(buffer.since(5)) == [10, 12]
    assert buffer.since(2) is None
    buffer.extend(1, [(2, SEALED), (5, SEALED)])
    assert offsets(buffer.since(1)) == [2, 5, 10, 12]
    extended = buffer.since(1)
    assert extended is not None
    assert extended[0].body == b'{"offset":2,"data":1}'


def test_of_history_that_does_not_fit_the_newest_is_kept():
    buffer = ReplayBuffer(10, 3 * (ENTRY_BYTES + 30))
    buffer.extend(1, [(offset, SEALED) for offset in range(2, 11)])
    assert offsets(buffer.since(7)) == [8, 9, 10]
    assert buffer.since(6) is None
    buffer.add(entry(11))
    buffer.add(entry(12))
    assert buffer.since(7) is None
    assert offsets(buffer.since(9)) == [10, 11, 12]


def test_what_is_not_sound_is_not_kept_of_history():
    buffer = ReplayBuffer(10, 10_000)
    buffer.extend(1, [(2, SEALED), (3, b"nonsense"), (4, SEALED + b"\n")])
    assert offsets(buffer.since(1)) == [2]


def test_messages_without_an_offset_are_told_by_origin_and_number():
    buffer = ReplayBuffer(0, 10_000)
    buffer.add(entry(0, 1))
    start = buffer.next_number
    buffer.add(entry(0, 2))
    buffer.add(entry(7, 3))
    buffer.add(entry(0, 4, JOIN))
    buffer.add(ReplayEntry(0, b"else", seq(1), PUBLICATION, b"{}"))
    unheard = buffer.unheard({ORIGIN: seq(2)}, start)
    assert unheard is not None
    assert [(one.origin, one.seq) for one in unheard] == [(ORIGIN, seq(4)), (b"else", seq(1))]
    assert len(buffer.unheard({}, start) or ()) == 3
    assert len(buffer.unheard({}, 0) or ()) == 4
    assert offsets(buffer.since(0)) == [7]


def test_a_holder_whose_beginning_is_gone_is_told():
    buffer = ReplayBuffer(0, 3 * ENTRY_BYTES + 10)
    start = buffer.next_number
    for number in range(3):
        buffer.add(entry(0, number))
    assert len(buffer.unheard({}, start) or ()) == 3
    buffer.add(entry(0, 4))
    assert buffer.unheard({}, start) is None
    assert len(buffer.unheard({}, start + 1) or ()) == 3
    buffer.extend(0, [])
    assert buffer.bytes <= 3 * ENTRY_BYTES + 10
