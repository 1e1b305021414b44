"""Leases over a bucket that is played, so that time, lost answers and lost stores can be played too."""

import datetime
import json
from collections.abc import Awaitable, Callable
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest
from nats.errors import TimeoutError as NatsTimeout
from nats.js.api import KeyValueConfig, StorageType
from nats.js.errors import APIError, BadRequestError, KeyNotFoundError, KeyWrongLastSequenceError

from ringway.engine.condition import Condition
from ringway.engine.nats.lease import NatsLease
from ringway.engine.nats.stream import Info, State
from ringway.errors import EngineAway, EngineUnsuitable


class Store:
    """Plays JetStream: one bucket, its revisions, and the answers that get lost."""

    def __init__(self) -> None:
        self.made = 0
        self.configs: list[KeyValueConfig] = []
        self.lose_answers = 0
        self.create_error: Exception | None = None
        self.full: set[StorageType | None] = set()
        self.pace_s = 1.0
        self.clock = datetime.datetime(2030, 1, 1, tzinfo=datetime.UTC)
        self.make_anew()

    def make_anew(self) -> None:
        self.keys: dict[str, tuple[int, bytes]] = {}
        self.revision = 0
        self.made += 1

    async def create_key_value(self, config: KeyValueConfig) -> "Store":
        self.configs.append(config)
        if config.storage in self.full:
            raise APIError(code=500, err_code=10028, description="insufficient memory resources available")
        if self.create_error is not None:
            raise self.create_error
        return self

    async def key_value(self, name: str) -> "Store":
        return self

    async def api(self, request: str) -> Info:
        assert request == "STREAM.INFO.KV_rw-test-leases"
        self.clock += datetime.timedelta(seconds=self.pace_s)
        created = f"2030-01-01T00:00:{self.made:02}Z"
        return Info(created=created, ts=self.clock.isoformat(), state=State(last_seq=self.revision))

    async def get(self, key: str, *, validate_keys: bool) -> Any:
        if key not in self.keys:
            raise KeyNotFoundError
        revision, value = self.keys[key]
        return SimpleNamespace(revision=revision, value=value)

    async def create(self, key: str, value: bytes, *, validate_keys: bool) -> int:
        return await self.update(key, value, last=0, validate_keys=validate_keys)

    async def update(self, key: str, value: bytes, *, last: int, validate_keys: bool) -> int:
        if self.keys.get(key, (0, b""))[0] != last:
            raise KeyWrongLastSequenceError
        self.revision += 1
        self.keys[key] = (self.revision, value)
        if self.lose_answers:
            self.lose_answers -= 1
            raise NatsTimeout
        return self.revision


class Members:
    """Makes members of one store; `now` is the monotonic clock that they share."""

    def __init__(self) -> None:
        self.store = Store()
        self.now = 1000.0
        self.server_info: dict[str, Any] = {}
        self.up = True

    def jetstream(self, timeout: float) -> Store:
        return self.store

    def require(self) -> None:
        if not self.up:
            raise EngineAway("played")

    def member(self) -> NatsLease:
        condition = Condition("played")
        return NatsLease(self, "test", self.store, condition, now=lambda: self.now)  # type: ignore[arg-type]


@pytest.fixture
def members() -> Members:
    return Members()


async def test_a_newcomer_watches_for_one_time_to_live_before_it_succeeds(members: Members) -> None:
    holder, newcomer = members.member(), members.member()
    assert await holder.acquire("leader", "a", 5.0) is not None
    members.now += 100  # the holder has been dead for long, which the newcomer cannot know
    assert await newcomer.acquire("leader", "b", 1.0) is None
    members.now += 4.99  # and it is the holder's time to live that counts
    assert await newcomer.acquire("leader", "b", 1.0) is None
    members.now += 0.02
    assert await newcomer.acquire("leader", "b", 1.0) is not None
    assert not await holder.renew("leader", "a", 5.0)


async def test_each_renewal_makes_the_others_wait_anew(members: Members) -> None:
    holder, other = members.member(), members.member()
    await holder.acquire("leader", "a", 5.0)
    for _ in range(10):
        members.now += 4
        assert await other.acquire("leader", "b", 5.0) is None
        assert await holder.renew("leader", "a", 5.0)


async def test_what_was_seen_before_an_absence_proves_nothing(members: Members) -> None:
    holder, other = members.member(), members.member()
    await holder.acquire("leader", "a", 5.0)
    assert await other.acquire("leader", "b", 5.0) is None
    members.now += 10
    other.forget()
    assert await other.acquire("leader", "b", 5.0) is None


async def test_a_renewal_whose_answer_was_lost_is_not_a_lost_lease(members: Members) -> None:
    holder = members.member()
    await holder.acquire("leader", "a", 5.0)
    members.store.lose_answers = 1
    with pytest.raises(EngineAway):
        await holder.renew("leader", "a", 5.0)
    assert await holder.renew("leader", "a", 5.0)
    assert await holder.renew("leader", "a", 5.0)


async def test_an_acquisition_whose_answer_was_lost_can_be_repeated(members: Members) -> None:
    holder = members.member()
    members.store.lose_answers = 1
    with pytest.raises(EngineAway):
        await holder.acquire("leader", "a", 5.0)
    assert await holder.acquire("leader", "a", 5.0) is not None
    assert await holder.renew("leader", "a", 5.0)


async def test_the_fence_grows_though_revisions_begin_anew(members: Members) -> None:
    holder = members.member()
    fences = [await holder.acquire("leader", "a", 5.0) for _ in range(5)]
    members.store.make_anew()
    members.store.pace_s = -60.0  # and though the next server's clock is behind
    assert await holder.renew("leader", "a", 5.0)
    fences += [await holder.acquire("leader", "a", 5.0) for _ in range(2)]
    assert None not in fences
    assert all(one < other for one, other in pairwise(fences))  # type: ignore[operator]
    assert all(0 < fence < 2**63 for fence in fences if fence is not None)


async def test_the_fence_grows_where_nobody_knows_the_last_one(members: Members) -> None:
    first = await members.member().acquire("leader", "a", 5.0)
    members.store.make_anew()
    second = await members.member().acquire("leader", "b", 5.0)
    assert first is not None
    assert second is not None
    assert second > first


async def test_a_lease_that_was_lost_with_its_bucket_is_left_to_its_holder_for_its_time(members: Members) -> None:
    holder, other = members.member(), members.member()
    await holder.acquire("leader", "a", 5.0)
    assert await other.acquire("leader", "b", 5.0) is None
    members.store.make_anew()
    for member in (holder, other):
        member.forget()
    assert await other.acquire("leader", "b", 5.0) is None
    assert await holder.renew("leader", "a", 5.0)
    members.store.make_anew()
    for member in (holder, other):
        member.forget()
    assert await other.acquire("leader", "b", 5.0) is None
    members.now += 5.0
    assert await other.acquire("leader", "b", 5.0) is not None  # the holder died meanwhile
    assert not await holder.renew("leader", "a", 5.0)


async def test_a_loss_without_a_lost_connection_is_found_at_the_next_look(members: Members) -> None:
    holder, other = members.member(), members.member()
    await holder.acquire("leader", "a", 5.0)
    assert await other.acquire("leader", "b", 5.0) is None
    members.store.make_anew()
    assert await other.acquire("leader", "b", 5.0) is None
    assert await holder.renew("leader", "a", 5.0)


async def test_a_lease_that_was_deleted_is_free(members: Members) -> None:
    holder, other = members.member(), members.member()
    await holder.acquire("leader", "a", 5.0)
    assert await other.acquire("leader", "b", 5.0) is None
    del members.store.keys["leader"]
    assert await other.acquire("leader", "b", 5.0) is not None
    assert not await holder.renew("leader", "a", 5.0)


async def test_only_the_holder_releases(members: Members) -> None:
    holder, other = members.member(), members.member()
    await holder.acquire("leader", "a", 5.0)
    await other.release("leader", "a")
    await other.release("leader", "b")
    assert await holder.renew("leader", "a", 5.0)
    members.now += 5
    await other.acquire("leader", "b", 5.0)
    members.now += 5
    assert await other.acquire("leader", "b", 5.0) is not None
    await holder.release("leader", "a")  # it does not know yet that it lost
    assert await other.renew("leader", "b", 5.0)


@pytest.mark.parametrize(("server_info", "replicas"), [({}, 1), ({"cluster": "c"}, 3)])
async def test_a_cluster_keeps_copies(members: Members, server_info: dict[str, Any], replicas: int) -> None:
    members.server_info = server_info
    await members.member().acquire("leader", "a", 5.0)
    assert [config.replicas for config in members.store.configs] == [replicas]


async def test_a_bucket_with_other_settings_is_used_as_it_is(members: Members) -> None:
    members.store.create_error = BadRequestError(code=400, err_code=10058)
    assert await members.member().acquire("leader", "a", 5.0) is not None


@pytest.mark.parametrize("ask", [lambda m: m.acquire("x", "a", 5.0), lambda m: m.renew("x", "a", 5.0)])
async def test_errors_say_who_must_act(members: Members, ask: Callable[[NatsLease], Awaitable[object]]) -> None:
    member = members.member()
    await member.acquire("x", "a", 5.0)
    members.up = False
    with pytest.raises(EngineAway):
        await ask(member)
    await member.release("y", "a")
    members.up = True
    member.forget()
    members.store.create_error = APIError(code=500, description="no space left")
    with pytest.raises(EngineUnsuitable, match="no space left"):
        await ask(member)
    await member.release("x", "a")


async def test_the_value_tells_an_operator_who_leads(members: Members) -> None:
    fence = await members.member().acquire("leader", "gateway-1", 5.0)
    value = {"holder": "gateway-1", "ttl_s": 5.0, "fence": fence}
    assert json.loads(members.store.keys["leader"][1]) == value


async def test_a_bucket_is_made_where_there_is_room_for_one(members: Members) -> None:
    members.store.full = {StorageType.MEMORY}
    assert await members.member().acquire("leader", "a", 5.0) is not None
    assert [config.storage for config in members.store.configs] == [StorageType.MEMORY, StorageType.FILE]
