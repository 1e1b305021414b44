from ringway.core.stream import HEARD_MAX, ChannelStream, Cut, StreamVerdict

ROOM = 1000


def stream(offset: int = 10) -> ChannelStream:
    following = ChannelStream(kept=True)
    assert following.begin("e", offset) == []
    return following


def take(following: ChannelStream, offset: int, previous: int, room: int = ROOM) -> StreamVerdict:
    return following.take_publication(offset, previous, b"%d" % offset, room)


def test_what_follows_is_delivered():
    following = stream()
    assert take(following, 12, 10) is StreamVerdict.DELIVER
    assert following.expected == 12
    following.follow(13)
    assert (following.position, following.is_behind) == (13, False)


def test_a_position_may_be_beyond_any_offset_and_what_came_before_may_have_expired():
    following = stream(10)  # the channel was empty, or holds something older
    assert take(following, 12, 7) is StreamVerdict.DELIVER
    assert take(following, 20, 0) is StreamVerdict.DELIVER
    assert following.position == 20


def test_a_gap_holds_back_what_comes_until_history_has_told_the_rest():
    following = stream()
    assert take(following, 15, 13) is StreamVerdict.HELD
    assert take(following, 16, 15) is StreamVerdict.HELD
    assert following.is_behind
    assert following.position == 10
    offered = following.caught_up("e", 15, [(12, b"12"), (13, b"13"), (15, b"15")], complete=True)
    assert offered == [(12, b"12"), (13, b"13"), (15, b"15"), (16, b"16")]
    assert (following.position, following.is_behind) == (16, False)


def test_what_history_told_first_is_dropped_when_it_arrives_and_once_only():
    following = stream()
    take(following, 15, 13)
    following.caught_up("e", 18, [(13, b""), (15, b""), (18, b"")], complete=True)
    assert take(following, 18, 15) is StreamVerdict.DROP
    assert take(following, 19, 18) is StreamVerdict.DELIVER
    assert take(following, 18, 15) is StreamVerdict.HELD  # offsets do not go back, unless they have begun anew


def test_offsets_that_begin_anew_are_not_taken_for_duplicates():
    following = stream(0)
    for offset in (1, 2, 3):
        assert take(following, offset, offset - 1) is StreamVerdict.DELIVER
    assert take(following, 1, 0) is StreamVerdict.HELD
    assert following.caught_up("f", 1, [(1, b"")], complete=True) is None
    assert following.begin("f", 1) == []
    assert following.is_behind  # what was held may be of either epoch: it is read
    assert following.caught_up("f", 2, [(2, b"2")], complete=True) == [(2, b"2")]


def test_history_that_proves_nothing_is_not_believed():
    following = stream()
    take(following, 15, 13)
    assert following.caught_up("e", 15, [(13, b""), (15, b"")], complete=False) is None
    assert following.is_behind
    assert following.begin("e", 15) == []
    assert take(following, 16, 15) is StreamVerdict.DELIVER


def test_a_second_gap_is_read_too():
    following = stream()
    take(following, 15, 13)
    take(following, 20, 18)
    take(following, 21, 20)
    assert following.caught_up("e", 16, [(13, b""), (15, b"15"), (16, b"16")], complete=True) == [
        (13, b""),
        (15, b"15"),
        (16, b"16"),
    ]
    assert following.is_behind
    assert following.caught_up("e", 21, [(18, b"18"), (20, b"20"), (21, b"21")], complete=True) == [
        (18, b"18"),
        (20, b"20"),
        (21, b"21"),
    ]
    assert not following.is_behind


def test_what_cannot_be_held_is_read():
    following = stream()
    take(following, 15, 13, 3)
    take(following, 16, 15, 3)
    take(following, 17, 16, 3)
    assert following.caught_up("e", 13, [(13, b"13")], complete=True) == [(13, b"13"), (15, b"15")]
    assert following.is_behind
    assert following.caught_up("e", 17, [(16, b"16"), (17, b"17")], complete=True) == [(16, b"16"), (17, b"17")]
    assert not following.is_behind


def test_before_it_has_begun_everything_is_held():
    following = ChannelStream(kept=True)
    assert take(following, 5, 4) is StreamVerdict.HELD
    assert take(following, 6, 5) is StreamVerdict.HELD
    assert not following.is_behind  # there is no position to read from
    assert following.begin("e", 5) == [(6, b"6")]
    assert following.position == 6


def test_doubt_asks_history_before_anything_is_delivered():
    following = stream()
    following.doubt()
    assert following.is_behind
    assert take(following, 11, 10) is StreamVerdict.HELD
    assert following.caught_up("e", 11, [(11, b"11")], complete=True) == [(11, b"11")]
    assert not following.is_behind


def test_up_to_where_nothing_is_missing_is_learned_from_an_empty_answer():
    following = stream()
    following.doubt()
    assert following.caught_up("e", 99, [], complete=True) == []
    assert (following.position, following.proven) == (10, 99)


def test_without_history_everything_is_delivered_and_heard():
    following = ChannelStream(kept=False)
    assert not following.is_behind
    assert take(following, 5, 4) is StreamVerdict.DELIVER  # of a node whose settings differ
    following.hear(b"\x00\x00\x00\x0a", (7).to_bytes(8, "big"))
    following.hear(b"\x00\x00\x00\x0a", (9).to_bytes(8, "big"))
    assert following.cut() == Cut("", 0, {"0000000a": 9})
    for number in range(HEARD_MAX):
        following.hear(b"%04d" % number, b"")
    assert len(following.heard) == HEARD_MAX
    assert b"\x00\x00\x00\x0a" not in following.heard


def test_a_cut_says_where_the_channel_stands():
    assert stream(10).cut() == Cut("e", 10, {})
