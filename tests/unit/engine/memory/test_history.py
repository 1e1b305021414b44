"""History of the memory engine: one sequence of offsets for a namespace, sizes, and times by the given clock."""

import asyncio

import pytest

from ringway.engine.memory import history as memory_history
from ringway.engine.memory.engine import MemoryHub
from ringway.engine.memory.history import KEY_S, StoredNamespace
from ringway.ports import Retention
from ringway.types import Channel

A, B = Channel("chat:a"), Channel("chat:b")
CHAT = Retention("chat", 3, 60)


def texts(namespace: StoredNamespace, channel: Channel, now: float = 0, since: int | None = None) -> list[bytes]:
    return [payload for _, payload in namespace.read_page(channel, since, 100, False, now).publications]


def test_offsets_are_the_namespaces_and_previous_the_channels() -> None:
    chat = StoredNamespace(CHAT)
    stored = [chat.store(channel, b"", "", 0) for channel in (A, B, A, A, B)]
    assert stored == [(1, 0), (2, 0), (3, 1), (4, 3), (5, 2)]


def test_size_is_counted_for_each_channel() -> None:
    chat = StoredNamespace(CHAT)
    for i in range(5):
        chat.store(A, b"a%d" % i, "", 0)
    chat.store(B, b"b", "", 0)
    assert texts(chat, A) == [b"a2", b"a3", b"a4"]
    assert texts(chat, B) == [b"b"]


def test_what_is_older_than_the_ttl_is_gone_and_its_follower_says_that_none_is_kept() -> None:
    chat = StoredNamespace(CHAT)
    chat.store(A, b"old", "", 0)
    chat.store(A, b"new", "", 30)
    assert texts(chat, A, 59.9) == [b"old", b"new"]
    assert texts(chat, A, 60) == [b"new"]
    assert chat.store(A, b"newest", "", 90) == (3, 0)


@pytest.mark.parametrize(("since", "complete"), [(0, False), (1, False), (2, True), (3, True), (5, True), (6, False)])
def test_completeness_is_exact_while_the_channel_holds_anything(since: int, complete: bool) -> None:
    chat = StoredNamespace(CHAT)
    for _ in range(5):
        chat.store(A, b"", "", 0)  # 1 and 2 are trimmed
    assert chat.read_page(A, since, 100, False, 0).complete == complete


def test_of_channels_that_became_empty_the_newest_is_what_is_known() -> None:
    chat = StoredNamespace(CHAT)
    chat.store(A, b"", "", 0)
    chat.store(B, b"", "", 0)
    assert chat.newest_offset(A, 60) == 2
    assert not chat.read_page(A, 1, 100, False, 60).complete
    assert chat.read_page(A, 2, 100, False, 60).complete
    assert chat.read_page(A, 2, 100, False, 60).offset == 2
    assert chat.channels == frozenset()


def test_a_smaller_size_holds_at_once() -> None:
    chat = StoredNamespace(CHAT)
    for i in range(3):
        chat.store(A, b"%d" % i, "", 0)
    chat.change_retention(Retention("chat", 1, 60))
    assert texts(chat, A) == [b"2"]
    assert not chat.read_page(A, 1, 100, False, 0).complete


def test_keys_are_each_channels_own_and_forgotten_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    chat = StoredNamespace(Retention("chat", 3, 600))
    chat.store(A, b"", "k", 0)
    assert chat.find_key(A, "k", KEY_S - 1) == 1
    assert chat.find_key(B, "k", 0) is None
    assert chat.find_key(A, "k", KEY_S) is None
    monkeypatch.setattr(memory_history, "KEYS_MAX", 2)
    for i in range(4):
        chat.store(A, b"", f"k{i}", 200)
    assert [chat.find_key(A, f"k{i}", 200) is not None for i in range(4)] == [False, False, True, True]


def test_a_page_is_cut_at_its_limit_and_then_not_complete() -> None:
    chat = StoredNamespace(Retention("chat", 10, 60))
    for i in range(6):
        chat.store(A, b"%d" % i, "", 0)

    def read(since: int | None, reverse: bool) -> list[int]:
        page = chat.read_page(A, since, 2, reverse, 0)
        assert not page.complete
        assert page.offset == 6
        return [offset for offset, _ in page.publications]

    assert read(1, False) == [2, 3]
    assert read(0, False) == [1, 2]
    assert read(None, False) == read(None, True) == [5, 6]
    assert read(5, True) == [3, 4]
    assert chat.read_page(A, 0, 6, False, 0).complete
    assert chat.read_page(A, 6, 0, False, 0).complete
    assert not chat.read_page(A, 5, 0, False, 0).complete


async def test_lost_data_is_a_new_epoch_for_every_member() -> None:
    hub = MemoryHub()
    a, b = hub.open(), hub.open()
    got: list[tuple[bytes, int, int]] = []
    b.broker.attach(lambda channel, payload, offset, previous: got.append((payload, offset, previous)))
    await b.broker.subscribe(A)
    first = await a.history.append(A, b"1", CHAT)
    assert await b.history.position(A, CHAT) == first
    hub.lose_data()
    second = await a.history.append(A, b"2", CHAT)
    assert second.epoch != first.epoch
    assert await b.history.position(A, CHAT) == second
    await asyncio.sleep(0)
    assert got == [(b"1", 1, 0), (b"2", 1, 0)]


async def test_every_member_is_told_of_the_return() -> None:
    hub = MemoryHub()
    told: list[str] = []
    for name in "ab":
        hub.open().on_return.append(lambda name=name: told.append(name))
    hub.away = True
    assert told == []
    hub.away = False
    assert told == ["a", "b"]
