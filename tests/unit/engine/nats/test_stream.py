"""The requested settings of a stream, and proofs from its state; the model is a stream that forgets as NATS does."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringway.engine.nats.stream import (
    GENERATION,
    SIZE_LEAST,
    HistorySettings,
    StreamInfo,
    StreamState,
    adapted_config,
    check_version,
    is_complete,
    read_info,
    wanted_config,
    with_new_generation,
)
from ringway.errors import EngineUnsuitable
from ringway.ports import Retention

CHAT = Retention("chat", 10, 300)
MEMORY = HistorySettings("memory")


def want(retention: Retention = CHAT, settings: HistorySettings = MEMORY, clustered: bool = False) -> dict[str, Any]:
    return wanted_config("rw=c=chat", "rw.c.kept.chat.", "rw.c.ch.", retention, settings, clustered)


def info(size: int = 10, first: int = 1, last: int = 0, **metadata: str) -> StreamInfo:
    config = {**want(Retention("chat", size, 300)), "metadata": metadata}
    return StreamInfo(config, "2026-11-25T02:35:54.486833989Z", StreamState(first, last))


def test_a_stream_sends_on_what_it_stored_and_lets_itself_be_read() -> None:
    config = want()
    assert config["subjects"] == ["rw.c.kept.chat.*"]
    assert config["republish"] == {"src": "rw.c.kept.chat.*", "dest": "rw.c.ch.{{wildcard(1)}}"}
    assert (config["max_msgs_per_subject"], config["max_age"], config["allow_direct"]) == (10, 300_000_000_000, True)
    assert (config["storage"], config["max_bytes"], config["num_replicas"]) == ("memory", -1, 1)


def test_keys_are_remembered_for_two_minutes_or_as_long_as_publications_are() -> None:
    assert want()["duplicate_window"] == 120_000_000_000
    assert want(Retention("chat", 10, 5))["duplicate_window"] == 5_000_000_000


@pytest.mark.parametrize(("replicas", "clustered", "kept"), [(0, False, 1), (0, True, 3), (1, True, 1), (5, True, 5)])
def test_replicas_are_three_in_a_cluster_unless_said_otherwise(replicas: int, clustered: bool, kept: int) -> None:
    assert want(settings=HistorySettings("file", replicas), clustered=clustered)["num_replicas"] == kept


def test_what_is_as_wanted_is_left_alone_and_so_is_what_operators_added() -> None:
    found = {**want(), "placement": {"tags": ["ssd"]}, "metadata": {"_nats.ver": "2.15.1"}}
    assert adapted_config(found, want()) is None
    changed = adapted_config(found, want(Retention("chat", 10, 60)))
    assert changed is not None
    assert (changed["placement"], changed["max_age"]) == ({"tags": ["ssd"]}, 60_000_000_000)
    assert changed["metadata"] == found["metadata"]
    assert adapted_config({**found, "storage": "file"}, want()) is None


def test_the_least_size_is_remembered_when_it_changes() -> None:
    config = want()
    for size, least in ((20, "10"), (5, "5"), (50, "5"), (7, "5")):
        adapted = adapted_config(config, want(Retention("chat", size, 300)))
        assert adapted is not None
        config = adapted
        assert config["metadata"][SIZE_LEAST] == least
    assert info(50, ringway_size_least="5").size_least == 5
    assert info(50).size_least == 50


def test_epochs_tell_lives_apart() -> None:
    one = info()
    epochs = {
        one.epoch,
        StreamInfo(one.config, "2026-11-25T02:35:54.486833990Z").epoch,
        StreamInfo({**one.config, "name": "rw=c=news"}, one.created).epoch,
        StreamInfo(with_new_generation(one.config), one.created).epoch,
        StreamInfo(with_new_generation(one.config), one.created).epoch,
    }
    assert len(epochs) == 5
    assert StreamInfo({**one.config, "max_age": 1}, one.created).epoch == one.epoch
    assert GENERATION in with_new_generation(one.config)["metadata"]


def test_it_reads_what_nats_says() -> None:
    said = read_info(
        b'{"type":"x","config":{"name":"s","max_msgs_per_subject":3,"num_replicas":3},"created":"2026-11-25T02:00:00.5Z",'
        b'"state":{"messages":4,"first_seq":2,"last_seq":5},"cluster":{"leader":"n1"},"ts":"2026-11-25T02:01:00.486833989Z"}'
    )
    assert (said.state, said.replicas, said.size, said.clustered) == (StreamState(2, 5), 3, 3, True)
    assert said.age_s == pytest.approx(59.99, abs=0.01)
    refused = read_info(b'{"type":"x","error":{"code":404,"err_code":10059,"description":"stream not found"}}')
    assert refused.error is not None
    assert refused.error.err_code == 10059


def test_the_anchor_proves_it_and_so_does_a_head_that_has_not_passed() -> None:
    assert is_complete(5, [5, 7, 9], info(first=2, last=9))
    assert is_complete(5, [7, 9], info(first=6, last=9))
    assert is_complete(9, [], info(first=10, last=9))
    assert not is_complete(5, [7, 9], info(first=7, last=9))
    assert not is_complete(10, [], info(first=2, last=9))
    assert not is_complete(5, [7, 8, 9], info(size=3, first=2, last=9))
    assert is_complete(5, [5, 8, 9], info(size=3, first=2, last=9))
    assert not is_complete(2, [2, 5, 6, 7], info(size=3, first=1, last=7))  # 3 and 4 were trimmed after 2 was read
    assert not is_complete(5, [7, 8, 9], info(size=10, first=2, last=9, ringway_size_least="3"))


class Stream:
    """Forgets as NATS does: by size in each channel, by age from the head, and by neither tells anybody."""

    def __init__(self) -> None:
        self.size = 3
        self.least = 3
        self.kept: list[tuple[int, str]] = []
        self.all: list[tuple[int, str]] = []

    def publish(self, channel: str) -> None:
        self.all.append((len(self.all) + 1, channel))
        self.kept.append(self.all[-1])
        self.trim()

    def trim(self) -> None:
        for channel in "ab":
            mine = [one for one in self.kept if one[1] == channel]
            for one in mine[: max(0, len(mine) - self.size)]:
                self.kept.remove(one)

    def resize(self, size: int) -> None:
        self.size = size
        self.least = min(self.least, size)
        self.trim()

    def expire(self) -> None:
        del self.kept[:1]

    def info(self) -> StreamInfo:
        last = len(self.all)
        first = self.kept[0][0] if self.kept else last + 1
        return info(self.size, first, last, ringway_size_least=str(self.least))

    def since(self, channel: str, since: int, of: list[tuple[int, str]]) -> list[int]:
        return [offset for offset, whose in of if whose == channel and offset >= since]


publishing: list[Callable[[Stream], None]] = [*[lambda s: s.publish("a")] * 4, *[lambda s: s.publish("b")] * 2]
resizing: list[Callable[[Stream], None]] = [lambda s: s.resize(1), lambda s: s.resize(2), lambda s: s.resize(5)]
steps = st.lists(st.sampled_from([*publishing, *resizing, Stream.expire]), max_size=25)
moves = st.lists(st.sampled_from([*publishing, Stream.expire]), max_size=25)


@given(before=steps, after=steps, channel=st.sampled_from("ab"), back=st.integers(0, 6))
def test_complete_is_never_said_of_what_misses_anything(
    before: list[Callable[[Stream], None]], after: list[Callable[[Stream], None]], channel: str, back: int
) -> None:
    stream = Stream()
    for step in before:
        step(stream)
    since = max(len(stream.all) - back, 0)
    for step in after:
        step(stream)
    found = stream.since(channel, since, stream.kept)
    if is_complete(since, found, stream.info()):
        published = stream.since(channel, since + 1, stream.all)
        assert [offset for offset in found if offset > since] == published


@given(before=steps, after=moves, channel=st.sampled_from("ab"), back=st.integers(0, 6), pace=st.integers(1, 5))
def test_complete_is_not_said_either_when_the_stream_moves_on_while_it_is_read(
    before: list[Callable[[Stream], None]], after: list[Callable[[Stream], None]], channel: str, back: int, pace: int
) -> None:
    """One message is read before each `pace` steps, and to the end when no more steps come."""
    stream = Stream()
    for step in before:
        step(stream)
    since = max(len(stream.all) - back, 0)
    published = len(stream.all)
    found: list[int] = []
    moving = list(after)
    while rest := stream.since(channel, found[-1] + 1 if found else since, stream.kept):
        found.append(rest[0])
        for _ in range(min(pace, len(moving))):
            moving.pop(0)(stream)
    if is_complete(since, found, stream.info()):
        wanted = stream.since(channel, since + 1, stream.all[:published])
        assert [offset for offset in found if since < offset <= published] == wanted


@pytest.mark.parametrize(("version", "suits"), [
    ("2.10.27", False), ("2.9.0", False), ("", False), ("2.11.0", True), ("2.15.1-beta.1", True), ("3.0.0", True),
])  # fmt: skip
def test_a_server_too_old_to_be_read_is_unsuitable(version: str, suits: bool) -> None:
    if suits:
        check_version(version)
    else:
        with pytest.raises(EngineUnsuitable, match=r"use 2\.11 or newer"):
            check_version(version)
