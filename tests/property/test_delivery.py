"""The checker finds nothing in runs in which nothing went wrong, and finds every violation that is put into one."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from property.delivery_world import World, rebuilt, rows
from ringway.testing.delivery import Order, Outcome, Seen, Subscribed, Verdict, give_verdict

seeds = st.integers(0, 10**9)
histories = st.booleans()


def verdict_of(world: World) -> Verdict:
    return give_verdict(world.witnesses, world.published)


@given(seeds, histories)
def test_a_good_run_has_no_faults_but_announced_losses(seed: int, history: bool) -> None:
    verdict = verdict_of(World(Random(seed), history=history))
    assert verdict.faults(may_announce=True) in ([], ["nothing was delivered: this proves nothing"])
    assert verdict.sums.lost == verdict.sums.announced
    assert (verdict.sums.unrecovered > 0) >= (verdict.sums.lost > 0)


@given(seeds, histories)
def test_judging_in_parts_comes_to_the_same(seed: int, history: bool) -> None:
    whole = verdict_of(World(Random(seed), history=history))
    world = World(Random(seed), history=history)
    order = Order()
    for witness in world.witnesses:
        part = Order()
        for seen in witness.seen:
            part.learn(seen)
        order.merge(part)
    order.prove(world.published)
    merged = give_verdict([], world.published, order)
    for witness in world.witnesses:
        merged.merge(give_verdict([witness], world.published, order))
    assert merged.as_json({}) == whole.as_json({})


def stretches(seen: Seen) -> list[tuple[int, int, int]]:
    """Indices of three deliveries of one publisher without an event between them."""
    found = []
    borders = [event.before for event in seen.events] + [len(seen)]
    for begin, end in zip([0, *borders], borders, strict=False):
        by_publisher: dict[int, list[int]] = {}
        for index in range(begin, end):
            by_publisher.setdefault(seen.publisher[index], []).append(index)
        found += [
            (a, b, c) for each in by_publisher.values() for a, b, c in zip(each, each[1:], each[2:], strict=False)
        ]
    return found


def broken(world: World, violation: str) -> bool:
    """Put `violation` into the run; False where there is no room for it."""
    for witness in world.witnesses:
        for place, seen in enumerate(witness.seen):
            for a, b, _ in stretches(seen):
                if (changed := VIOLATIONS[violation](world, seen, a, b)) is not None:
                    witness.seen[place] = changed
                    return True
    return False


def is_acked(world: World, seen: Seen, index: int) -> bool:
    return world.published.runs(seen.channel)[seen.publisher[index]].outcome[seen.number[index]] == Outcome.ACKED


def drop(world: World, seen: Seen, a: int, b: int) -> Seen | None:
    if not is_acked(world, seen, b):
        return None
    return rebuilt(seen, [row for index, row in enumerate(rows(seen)) if index != b], b, -1)


def double(world: World, seen: Seen, a: int, b: int) -> Seen:
    told = rows(seen)
    return rebuilt(seen, [*told[: b + 1], told[b], *told[b + 1 :]], b, 1)


def swap(world: World, seen: Seen, a: int, b: int) -> Seen:
    told = rows(seen)
    told[a], told[b] = told[b], told[a]
    return rebuilt(seen, told)


def invent(world: World, seen: Seen, a: int, b: int) -> Seen:
    told = rows(seen)
    return rebuilt(seen, [*told[:b], (9, 0, told[b][2], told[b][3]), *told[b:]], b, 1)


def refuse(world: World, seen: Seen, a: int, b: int) -> Seen:
    world.published.settle(seen.channel, seen.publisher[b], seen.number[b], Outcome.REFUSED, 0.0)
    return seen


def replay_old(world: World, seen: Seen, a: int, b: int) -> Seen:
    told = rows(seen)
    return rebuilt(seen, [*told, told[a]])


def lie_about_recovery(world: World, seen: Seen, a: int, b: int) -> Seen | None:
    """Say `recovered: true` at the last return, though something was published while the client was away."""
    event = seen.events[-1]
    if len(seen.events) < 3 or not isinstance(event, Subscribed) or event.recovered:
        return None
    closed = seen.events[-2].at
    lost = any(
        closed < run.began[number] < event.at and run.outcome[number] == Outcome.ACKED
        for run in world.published.runs(seen.channel).values()
        for number in range(len(run))
    )
    copy = rebuilt(seen, rows(seen))
    copy.events[-1] = Subscribed(event.at, event.before, event.epoch, event.offset, True)
    return copy if lost else None


def truncate(world: World, seen: Seen, a: int, b: int) -> Seen | None:
    """Lose everything from `b` on, though the subscription stands to the end."""
    if any(event.before > a for event in seen.events) or not is_acked(world, seen, b):
        return None
    return rebuilt(seen, rows(seen)[:b])


VIOLATIONS = {
    "lost": drop,
    "doubled": double,
    "reordered": swap,
    "unexpected": invent,
    "refused yet delivered": refuse,
    "doubled much later": replay_old,
    "a recovery that was none": lie_about_recovery,
    "silence at the end": truncate,
}

EXPECTED = {
    "lost": "lost silently",
    "doubled": "doubled",
    "reordered": "reordered",
    "unexpected": "unexpected",
    "refused yet delivered": "unexpected",
    "doubled much later": "doubled",
    "a recovery that was none": "lost silently",
    "silence at the end": "lost silently",
}


@pytest.mark.parametrize("history", [False, True], ids=["no-history", "history"])
@pytest.mark.parametrize("violation", VIOLATIONS)
def test_every_violation_is_found(violation: str, history: bool) -> None:
    tried = 0
    for seed in range(200):
        world = World(Random(seed), history=history)
        if not broken(world, violation):
            continue
        tried += 1
        faults = verdict_of(world).faults(may_announce=True)
        assert any(fault.startswith(EXPECTED[violation]) for fault in faults), (seed, faults)
    assert tried >= 20, "the runs had no room for it: nothing was proven"


def test_another_publication_at_a_known_position_is_found() -> None:
    tried = 0
    for seed in range(100):
        world = World(Random(seed), history=True)
        one, two = (witness.seen[0] for witness in world.witnesses[:2])
        shared = sorted(set(one.offset) & set(two.offset))
        if len(shared) < 2:
            continue
        tried += 1
        at = list(one.offset).index(shared[-1])
        one.publisher[at], one.number[at] = 9, 0
        assert verdict_of(world).divergent >= 1
    assert tried >= 20
