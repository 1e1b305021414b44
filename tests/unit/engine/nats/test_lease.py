"""Leases over a bucket that is played, so that time, lost answers and lost stores can be played too."""

import datetime
import json
from collections.abc import Awaitable, Callable, Mapping
from itertools import pairwise
from typing import Any

import pytest

from ringway.core.fencing_number import CLOCK_AHEAD_S, TTL_S_MAX
from ringway.engine.condition import Condition
from ringway.engine.nats.bucket import KeyValueBucket
from ringway.engine.nats.jetstream_request import WrongRevision
from ringway.engine.nats.lease import NatsLease
from ringway.engine.nats.stream import STREAM_EXISTS, ApiError, StreamInfo, StreamState
from ringway.errors import EngineAway, EngineUnsuitable
from support.log_capture import capture_logs

SUBJECT = "$KV.rw-test-leases."
EXPECTED = "Nats-Expected-Last-Subject-Sequence: "


class Store:
    """Plays JetStream: one bucket, its revisions, and the answers that get lost."""

    def __init__(self) -> None:
        self.made = 0
        self.up = True
        self.configs: list[Mapping[str, Any]] = []
        self.lose_answers = 0
        self.create_error: ApiError | None = None
        self.full: set[str] = set()
        self.pace_s = 1.0
        self.clock = datetime.datetime(2030, 1, 1, tzinfo=datetime.UTC)
        self.make_anew()

    def make_anew(self) -> None:
        self.keys: dict[str, tuple[int, bytes]] = {}
        self.revision = 0
        self.made += 1

    def require(self) -> None:
        if not self.up:
            raise EngineAway("played")

    async def api(self, request: str, body: Mapping[str, Any] | None = None) -> StreamInfo:
        self.require()
        verb, stream = request.rsplit(".", 1)
        assert stream == "KV_rw-test-leases"
        if verb == "STREAM.CREATE":
            assert body is not None
            self.configs.append(body)
            if body["storage"] in self.full:
                return StreamInfo(error=ApiError(500, 10028, "insufficient memory resources available"))
            return StreamInfo(error=self.create_error)
        assert verb == "STREAM.INFO"
        self.clock += datetime.timedelta(seconds=self.pace_s)
        created = f"2030-01-01T00:00:{self.made:02}Z"
        return StreamInfo(created=created, ts=self.clock.isoformat(), state=StreamState(last_seq=self.revision))

    async def read_last(self, stream: str, subject: str) -> tuple[int, bytes] | None:
        self.require()
        return self.keys.get(subject.removeprefix(SUBJECT))

    async def store(self, subject: str, payload: bytes, header: bytes) -> int:
        self.require()
        key = subject.removeprefix(SUBJECT)
        last = int(header.decode().partition(EXPECTED)[2])
        if self.keys.get(key, (0, b""))[0] != last:
            raise WrongRevision
        self.revision += 1
        self.keys[key] = (self.revision, payload)
        if self.lose_answers:
            self.lose_answers -= 1
            raise EngineAway("did not answer")
        return self.revision


class Members:
    """Makes members of one store; `now` is the monotonic clock that they share."""

    def __init__(self) -> None:
        self.store = Store()
        self.now = 1000.0
        self.behind_s = 0.0  # of the members' wall clocks, against that of the store
        self.clustered = False

    def member(self) -> NatsLease:
        bucket = KeyValueBucket(self.store, "rw-test-leases", lambda: self.clustered, "memory")
        condition = Condition("played")
        return NatsLease(
            bucket, condition, now=lambda: self.now, wall=lambda: self.store.clock.timestamp() - self.behind_s
        )


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


async def test_a_key_that_an_operator_deleted_is_free(members: Members) -> None:
    holder, other = members.member(), members.member()
    await holder.acquire("leader", "a", 5.0)
    assert await other.acquire("leader", "b", 5.0) is None
    members.store.revision += 1
    members.store.keys["leader"] = (members.store.revision, b"")  # what `nats kv del` leaves
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


@pytest.mark.parametrize(("clustered", "replicas"), [(False, 1), (True, 3)])
async def test_a_cluster_keeps_copies(members: Members, clustered: bool, replicas: int) -> None:
    members.clustered = clustered
    await members.member().acquire("leader", "a", 5.0)
    assert [config["num_replicas"] for config in members.store.configs] == [replicas]


async def test_a_bucket_with_other_settings_is_used_as_it_is(members: Members) -> None:
    members.store.create_error = ApiError(400, STREAM_EXISTS, "name in use")
    assert await members.member().acquire("leader", "a", 5.0) is not None


@pytest.mark.parametrize("ask", [lambda m: m.acquire("x", "a", 5.0), lambda m: m.renew("x", "a", 5.0)])
async def test_errors_say_who_must_act(members: Members, ask: Callable[[NatsLease], Awaitable[object]]) -> None:
    member = members.member()
    await member.acquire("x", "a", 5.0)
    members.store.up = False
    with pytest.raises(EngineAway):
        await ask(member)
    await member.release("y", "a")
    members.store.up = True
    member.forget()
    members.store.create_error = ApiError(500, 10077, "no space left")
    with pytest.raises(EngineUnsuitable, match="no space left"):
        await ask(member)
    await member.release("x", "a")


async def test_the_value_tells_an_operator_who_leads(members: Members) -> None:
    fence = await members.member().acquire("leader", "gateway-1", 5.0)
    value = {"holder": "gateway-1", "ttl_s": 5.0, "fence": fence}
    assert json.loads(members.store.keys["leader"][1]) == value


async def test_a_lease_of_another_release_is_respected(members: Members) -> None:
    """PROTOCOL.md P-9.1.1, P-10.6.1: fields may be added, and all wire versions compete for one lease."""
    members.store.revision = 7
    fence = int((members.store.clock.timestamp() - 1_577_836_800) * (1 << 32)) + 99
    value = b'{"holder":"gateway-1","ttl_s":5.0,"fence":%d,"later":{"a":[1]}}' % fence
    members.store.keys["leader"] = (7, value)
    member = members.member()
    assert await member.acquire("leader", "gateway-2", 5.0) is None
    members.now += 5.01
    taken = await member.acquire("leader", "gateway-2", 5.0)
    assert taken is not None
    assert taken > fence


async def test_a_bucket_is_made_where_there_is_room_for_one(members: Members) -> None:
    members.store.full = {"memory"}
    assert await members.member().acquire("leader", "a", 5.0) is not None
    assert [config["storage"] for config in members.store.configs] == ["memory", "file"]


@pytest.mark.parametrize("value", [b"junk", b"\xff\xfe", b"[]", b"null", b'{"holder": 1}', b'{"fence": 1e400}'])
async def test_a_value_that_no_member_wrote_is_a_free_lease(members: Members, value: bytes) -> None:
    members.store.revision = 7
    members.store.keys["leader"] = (7, value)
    assert await members.member().acquire("leader", "a", 5.0) is not None


async def test_a_number_that_cannot_be_counts_as_none_and_is_told(members: Members) -> None:
    """Somebody has written to the bucket: nodes that obeyed this number would obey no leader after it."""
    first = await members.member().acquire("leader", "a", 5.0)
    assert first is not None
    members.store.revision += 1
    value = b'{"holder": "", "ttl_s": 0, "fence": 4611686018427387904}'
    members.store.keys["leader"] = (members.store.revision, value)
    with capture_logs() as logs:
        second = await members.member().acquire("leader", "b", 5.0)
    assert second is not None
    assert first <= second < 4611686018427387904
    assert [log["number"] for log in logs if "somebody has written" in log["event"]] == [4611686018427387904]


async def test_a_clock_of_the_engine_that_cannot_be_is_told(members: Members) -> None:
    members.behind_s = 2 * CLOCK_AHEAD_S
    with pytest.raises(EngineUnsuitable, match=r"set the clocks of the engine's machines"):
        await members.member().acquire("leader", "a", 5.0)


async def test_a_time_to_live_that_no_member_gives_is_not_waited_for(members: Members) -> None:
    members.store.revision = 7
    members.store.keys["leader"] = (7, b'{"holder": "nobody", "ttl_s": 1e300, "fence": 1}')
    member = members.member()
    assert await member.acquire("leader", "a", 5.0) is None
    members.now += TTL_S_MAX + 1
    assert await member.acquire("leader", "a", 5.0) is not None
