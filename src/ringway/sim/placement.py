"""Placement alone: the evenness of a policy's keys, and the moved keys when a node comes or goes.

Policies by key are asked through their real tables, a million hashes at a time, so any number of keys needs the same
memory. Keys are drawn as their hashes: hashes of distinct keys are uniform random numbers. Other policies have no keys
that could move; they place connections one by one, of which `SAMPLE_MAX` are enough.
"""

import time
from collections.abc import Callable
from random import Random

import msgspec
import numpy as np
from numpy.typing import NDArray

from ringway.core.hashing import complete, make_table
from ringway.core.load import LoadView
from ringway.core.placement.catalog import make_policy
from ringway.core.placement.policy import Policy
from ringway.core.placement.score import FindFunction, refuse_function
from ringway.protocol.report import Report
from ringway.sim.contender import SECRET
from ringway.sim.owners import owners_of
from ringway.types import Incarnation, Issuer, NodeName, Role

CHUNK = 1_000_000
SAMPLE_MAX = 1_000_000

Progress = Callable[[float], None]
Numbers = NDArray[np.int32]


class KeySpread(msgspec.Struct, frozen=True, kw_only=True):
    """The placement of keys by one policy. Parts are of all keys; None if the policy does not place by key."""

    name: str
    keys: int
    asked: int  # the number that was really placed
    nodes: int
    max_over_avg: float  # of the fullest node, in fair shares
    worst_error: float  # of the node with the largest distance from its weight's part
    moved_on_join: float | None  # keys with a new owner when a node joins
    least_on_join: float
    collateral_on_join: float | None  # of these, keys that went from an old node to an old one
    moved_on_leave: float | None
    least_on_leave: float
    collateral_on_leave: float | None
    ns_per_key: float
    took_s: float

    @property
    def sampled(self) -> bool:
        """True if not all keys were placed."""
        return self.asked < self.keys


def place_keys(
    spec: str,
    keys: int,
    weights: dict[NodeName, float],
    seed: int,
    progress: Progress = lambda done: None,
    find_function: FindFunction = refuse_function,
) -> KeySpread:
    """Place `keys` keys on nodes of these `weights` by the policy `spec`, or by "modulo".

    `find_function` finds the function that the policy calls.
    """
    if spec == "modulo":
        return _by_owner(spec, keys, weights, seed, progress, _modulo)
    policy = make_policy(spec, SECRET, find_function)
    if not policy.table:
        return _one_by_one(spec, policy, keys, weights, seed, progress)
    tables = {}

    def owners(hashes: NDArray[np.uint64], members: dict[NodeName, float]) -> Numbers:
        key = tuple(members)
        if key not in tables:
            tables[key] = make_table(policy.table, SECRET)
            complete(tables[key], members)
        numbers = {name: number for number, name in enumerate(everybody)}
        return np.array([numbers[name] for name in owners_of(tables[key], hashes).tolist()], np.int32)

    everybody = [*weights, _NEW]
    return _by_owner(spec, keys, weights, seed, progress, owners)


_NEW = NodeName("the-new-one")

Owners = Callable[[NDArray[np.uint64], dict[NodeName, float]], Numbers]


def _modulo(hashes: NDArray[np.uint64], members: dict[NodeName, float]) -> Numbers:
    first = len(members) - (_NEW in members)
    numbers = list(range(first)) + ([_total_of(members)] if _NEW in members else [])
    return np.array(numbers, np.int32)[(hashes % np.uint64(len(members))).astype(np.intp)]


def _total_of(members: dict[NodeName, float]) -> int:
    return len(members) - 1


def _by_owner(
    spec: str, keys: int, weights: dict[NodeName, float], seed: int, progress: Progress, owners: Owners
) -> KeySpread:
    began = time.perf_counter()
    dice = np.random.default_rng(seed)
    count = len(weights)
    more = {**weights, _NEW: sum(weights.values()) / count}
    fewer = dict(list(weights.items())[:-1])
    held = np.zeros(count + 1, np.int64)
    moved = {"join": 0, "leave": 0}
    collateral = {"join": 0, "leave": 0}
    looked_s = 0.0
    for done in range(0, keys, CHUNK):
        hashes = dice.integers(0, 2**64, min(CHUNK, keys - done), dtype=np.uint64)
        looking = time.perf_counter()
        before = owners(hashes, weights)
        looked_s += time.perf_counter() - looking
        held += np.bincount(before, minlength=count + 1)
        for what, members, touched in (("join", more, count), ("leave", fewer, count - 1)):
            if members:
                after = owners(hashes, members)
                changed = before != after
                moved[what] += int(changed.sum())
                collateral[what] += int((changed & (before != touched) & (after != touched)).sum())
        progress(min(keys, done + CHUNK) / keys)
    ratio = _ratios(held[:count], weights)
    return KeySpread(
        name=spec, keys=keys, asked=keys, nodes=count,
        max_over_avg=round(float(ratio.max()), 5), worst_error=round(float(abs(ratio - 1).max()), 5),
        moved_on_join=moved["join"] / keys, least_on_join=more[_NEW] / sum(more.values()),
        collateral_on_join=collateral["join"] / keys,
        moved_on_leave=moved["leave"] / keys, least_on_leave=_last(weights),
        collateral_on_leave=collateral["leave"] / keys,
        ns_per_key=round(1e9 * looked_s / keys, 1), took_s=round(time.perf_counter() - began, 2),
    )  # fmt: skip


def _one_by_one(
    spec: str, policy: Policy, keys: int, weights: dict[NodeName, float], seed: int, progress: Progress
) -> KeySpread:
    began = time.perf_counter()
    rng = Random(seed)
    view = LoadView(Issuer("placing!"), ages=False)
    for name, weight in weights.items():
        view.reported(
            Report(name=name, incarnation=Incarnation("00000000"), role=Role.NODE, seq=1, url="", weight=weight), 0.0
        )
    asked = min(keys, SAMPLE_MAX)
    for number in range(asked):
        view.wake(0.0)
        view.arrived(policy.pick(view, None, rng, 1).nodes[0])
        if number % 10_000 == 0:
            progress(number / asked)
    took_s = time.perf_counter() - began
    ratio = _ratios(np.array([view.nodes[name].connections for name in weights]), weights)
    return KeySpread(
        name=spec, keys=keys, asked=asked, nodes=len(weights),
        max_over_avg=round(float(ratio.max()), 5), worst_error=round(float(abs(ratio - 1).max()), 5),
        moved_on_join=None, least_on_join=1 / (len(weights) + 1), collateral_on_join=None,
        moved_on_leave=None, least_on_leave=_last(weights), collateral_on_leave=None,
        ns_per_key=round(1e9 * took_s / asked, 1), took_s=round(took_s, 2),
    )  # fmt: skip


def _ratios(held: NDArray[np.int64], weights: dict[NodeName, float]) -> NDArray[np.float64]:
    fair = held.sum() * np.array(list(weights.values())) / sum(weights.values())
    return np.asarray(held / fair)


def _last(weights: dict[NodeName, float]) -> float:
    return list(weights.values())[-1] / sum(weights.values())
