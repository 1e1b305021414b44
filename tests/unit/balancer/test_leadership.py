"""Leadership: the lease, and knowing when it may have been lost."""

from ringway.balancer.leadership import Leadership
from ringway.engine.memory.engine import MemoryHub
from support.log_capture import capture_logs

TTL_S = 4.0


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def pair() -> tuple[Clock, MemoryHub, Leadership, Leadership]:
    clock = Clock()
    hub = MemoryHub(now=clock)
    one = Leadership(hub.open().lease, "g1", TTL_S, clock)
    other = Leadership(hub.open().lease, "g2", TTL_S, clock)
    return clock, hub, one, other


async def test_the_first_leads_and_keeps_its_number() -> None:
    clock, _, one, other = pair()
    fence = await one.keep_lease()
    for _ in range(10):
        clock.now += 1.0
        assert await one.keep_lease() == fence == one.fence
        assert await other.keep_lease() is None


async def test_without_renewal_it_leads_no_longer_than_its_lease() -> None:
    clock, _, one, _ = pair()
    await one.keep_lease()
    clock.now = TTL_S - 0.001
    assert one.fence is not None
    clock.now = TTL_S
    assert one.fence is None


async def test_the_next_leader_has_a_greater_number() -> None:
    clock, _, one, other = pair()
    first = await one.keep_lease()
    clock.now = TTL_S
    second = await other.keep_lease()
    assert first is not None
    assert second is not None
    assert second > first
    assert await one.keep_lease() is None
    assert one.fence is None


async def test_never_do_two_lead() -> None:
    clock, hub, one, other = pair()
    for step in range(400):
        clock.now += 0.25
        hub.away = step % 60 > 30
        if step % 4 == 0:
            await one.keep_lease()
        if step % 4 == 2 and step % 90 < 60:
            await other.keep_lease()
        assert one.fence is None or other.fence is None


async def test_who_resigns_is_succeeded_at_once() -> None:
    _, _, one, other = pair()
    await one.keep_lease()
    await one.resign()
    assert one.fence is None
    assert await other.keep_lease() is not None


async def test_while_the_engine_is_away_the_lease_runs_out() -> None:
    clock, hub, one, _ = pair()
    first = await one.keep_lease()
    hub.away = True
    clock.now = 2.0
    assert await one.keep_lease() == first
    clock.now = 5.0
    assert await one.keep_lease() is None
    hub.away = False
    again = await one.keep_lease()
    assert again is not None
    assert first is not None
    assert again > first


async def test_resigning_while_the_engine_is_away_is_quiet() -> None:
    _, hub, one, _ = pair()
    await one.keep_lease()
    hub.away = True
    await one.resign()
    assert one.fence is None


async def test_why_the_lease_cannot_be_kept_is_told_once_each_time() -> None:
    clock, hub, one, _ = pair()
    with capture_logs() as logs:
        for _ in range(2):
            await one.keep_lease()
            hub.away = True
            for _ in range(10):
                clock.now += 1.0
                await one.keep_lease()
            hub.away = False
    told = [log for log in logs if log["event"] == "the balancer's lease cannot be kept"]
    assert len(told) == 2
