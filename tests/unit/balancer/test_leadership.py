"""Leadership: the lease, and knowing when it may have been lost."""

from ringway.balancer.leadership import WAITS, Leadership
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


async def test_its_fence_is_above_all_that_other_gateways_report() -> None:
    clock, proven = Clock(), [10**15]
    leadership = Leadership(MemoryHub(now=clock).open().lease, "g1", TTL_S, clock, lambda: proven[0])
    assert await leadership.keep_lease() == 10**15 + 1, "whatever the engine's data say"
    clock.now += 1.0
    proven[0] += 1  # others report the fence that they hear
    assert await leadership.keep_lease() == 10**15 + 1
    clock.now += 1.0
    proven[0] += 1
    assert await leadership.keep_lease() is None, "a newer leader is there"
    clock.now += 1.0
    assert await leadership.keep_lease() == 10**15 + 3


async def test_a_gateway_that_must_not_lead_gives_the_lease_up_and_does_not_take_it() -> None:
    clock, why = Clock(), [""]
    hub = MemoryHub(now=clock)
    one = Leadership(hub.open().lease, "g1", TTL_S, clock, why_not=lambda: why[0])
    other = Leadership(hub.open().lease, "g2", TTL_S, clock)
    assert await one.keep_lease() is not None
    why[0] = "it believes none of the others"
    with capture_logs() as logs:
        for _ in range(3):
            assert await one.keep_lease() is None
    assert one.hindrance == "this gateway must not lead: it believes none of the others"
    assert len([log for log in logs if log["event"] == "the balancer does not lead"]) == 1
    assert await other.keep_lease() is not None, "at once"
    await other.resign()
    assert await one.keep_lease() is None
    why[0] = ""
    assert await one.keep_lease() is not None
    assert one.hindrance == ""


async def test_a_lease_that_nobody_holds_who_is_believed_is_told_after_a_while() -> None:
    clock, led = Clock(), [False]
    hub = MemoryHub(now=clock)
    stranger = Leadership(hub.open().lease, "g of another version", TTL_S, clock)
    one = Leadership(hub.open().lease, "g1", TTL_S, clock, is_led=lambda: led[0])
    told = []
    with capture_logs() as logs:
        for _ in range(int(2 * WAITS * TTL_S)):
            await stranger.keep_lease()
            assert await one.keep_lease() is None
            told.append(bool(one.hindrance))
            clock.now += 1.0
    assert told == sorted(told), "it is not told while it may be the death of a leader"
    assert told.index(True) == WAITS * TTL_S
    assert len([log for log in logs if log["event"] == "the balancer does not lead"]) == 1
    led[0] = True
    await one.keep_lease()
    assert one.hindrance == ""
