"""Leases of backends: who holds a name, until when, and what a restart and a second holder are."""

import math

import pytest

from ringway.core.registration import (
    TICK_S,
    RefusalKind,
    Registration,
    RegistrationRefused,
    Registrations,
    check_incarnation,
    check_ttl,
    check_utilisation,
)
from ringway.errors import ConfigError
from ringway.protocol.backend import Backend
from ringway.types import NodeName


def backend(name: str = "a", url: str = "ws://10.0.0.1:9000", life: str = "one", weight: float = 1.0) -> Backend:
    return Backend(name=NodeName(name), url=url, life=life, weight=weight)


class World:
    """Registrations under a clock that only the test moves, with a tick each period."""

    def __init__(self, registrations_max: int = 10) -> None:
        self.held = Registrations(registrations_max)
        self.now = 100.0
        self.leases = 0

    def register(self, each: Backend, ttl_s: float = 10.0) -> Registration:
        self.leases += 1
        return self.held.register(each, ttl_s, f"lease-{self.leases}", self.now)

    def refused(self, each: Backend) -> RegistrationRefused:
        with pytest.raises(RegistrationRefused) as refused:
            self.register(each)
        return refused.value

    def passes(self, seconds: float) -> list[str]:
        lost: list[str] = []
        for _ in range(round(seconds / TICK_S)):
            self.now += TICK_S
            lost += [each.name for each in self.held.tick(self.now)]
        return lost


def test_a_lease_that_is_renewed_lasts() -> None:
    world = World()
    world.register(backend())
    for _ in range(5):
        assert world.passes(9.0) == []
        world.held.renew("a", world.now, incarnation="one")


def test_a_lease_that_is_not_renewed_expires_once_and_frees_the_name() -> None:
    world = World()
    world.register(backend())
    world.register(backend("b", "ws://10.0.0.2:9000"), ttl_s=30.0)
    assert world.passes(9.75) == []
    assert world.passes(5.0) == ["a"]
    assert [each.name for each in world.held.values()] == ["b"]
    world.register(backend(url="ws://10.0.0.9:9000"))


def test_a_renewal_of_an_unknown_or_expired_lease_says_register_again() -> None:
    world = World()
    world.register(backend())
    world.passes(11.0)
    for name in ("a", "never"):
        with pytest.raises(RegistrationRefused, match=f"register again: PUT /v1/backends/{name}") as refused:
            world.held.renew(name, world.now)
        assert refused.value.kind is RefusalKind.UNKNOWN


def test_a_second_registration_of_the_same_life_keeps_the_lease_and_changes_the_settings() -> None:
    world = World()
    first = world.register(backend())
    world.held.drain("a", 0.0, world.now)
    world.passes(5.0)
    again = world.register(backend(weight=2.0))
    assert (again.lease, again.backend.weight, again.draining) == (first.lease, 2.0, True)
    assert again.until == world.now + 10.0


def test_another_incarnation_at_the_same_url_is_a_restart() -> None:
    world = World()
    first = world.register(backend())
    world.held.drain("a", 30.0, world.now)
    second = world.register(backend(life="two"))
    assert second.lease != first.lease
    assert not second.draining
    assert second.backend.incarnation != first.backend.incarnation


def test_an_incarnation_that_was_replaced_does_not_come_back() -> None:
    world = World()
    world.register(backend())
    world.register(backend(life="two"))
    refused = world.refused(backend(life="one"))
    assert refused.kind is RefusalKind.HELD
    assert "incarnation 'one' does not hold the lease" in str(refused)
    for call in (world.held.renew, world.held.check, world.held.remove):
        with pytest.raises(RegistrationRefused, match="incarnation 'one' does not hold"):
            call("a", world.now, incarnation="one")
    assert world.held.renew("a", world.now, incarnation="two").backend.life == "two"


def test_when_the_lease_of_its_successor_has_ended_an_incarnation_may_have_the_name_again() -> None:
    world = World()
    world.register(backend())
    world.register(backend(life="two"))
    world.passes(9.0)
    world.refused(backend(life="one"))
    assert world.passes(1.0) == ["a"]
    assert world.register(backend(life="one")).backend.life == "one", "nobody else has the name"


def test_two_incarnations_do_not_take_turns_when_the_later_one_comes_back() -> None:
    world = World()
    world.register(backend())
    world.register(backend(life="two"))
    world.passes(11.0)
    world.register(backend(life="one"))
    with pytest.raises(RegistrationRefused, match="incarnation 'two' does not hold"):
        world.held.renew("a", world.now, incarnation="two")
    assert world.register(backend(life="two")).backend.life == "two"
    for _ in range(3):
        world.passes(5.0)
        assert "does not come back while a later one has the name" in str(world.refused(backend(life="one")))
        world.held.renew("a", world.now, incarnation="two")


def test_two_holders_of_one_name_the_second_is_told_who_holds_it_and_until_when() -> None:
    world = World()
    world.register(backend())
    world.passes(4.0)
    refused = world.refused(backend(url="ws://10.0.0.2:9000", life="other"))
    assert refused.kind is RefusalKind.HELD
    assert "held by ws://10.0.0.1:9000 (incarnation one) for 6.0 s more" in refused.error
    assert refused.wait_s == 6.0
    assert world.held.renew("a", world.now).backend.url == "ws://10.0.0.1:9000"


def test_a_process_that_was_stopped_lets_no_lease_expire_by_that() -> None:
    world = World()
    world.register(backend())
    world.passes(5.0)
    world.now += 60.0
    assert world.held.tick(world.now) == []
    assert world.passes(4.5) == []
    assert world.passes(1.0) == ["a"]


def test_a_clock_that_is_always_late_lets_leases_expire_all_the_same() -> None:
    world = World()
    world.register(backend())
    lost: list[str] = []
    for _ in range(80):
        world.now += 3 * TICK_S
        lost += [each.name for each in world.held.tick(world.now)]
    assert lost == ["a"]


def test_there_are_no_more_registrations_than_may_be() -> None:
    world = World(registrations_max=2)
    for number in range(2):
        world.register(backend(f"a{number}", f"ws://10.0.0.{number}:9000"))
    refused = world.refused(backend("c", "ws://10.0.0.3:9000"))
    assert refused.kind is RefusalKind.FULL
    world.register(backend("a0", "ws://10.0.0.0:9000"))
    world.held.remove("a1", world.now)
    world.register(backend("c", "ws://10.0.0.3:9000"))


def test_what_a_server_says_about_itself_stays_until_it_says_something_else() -> None:
    world = World()
    world.register(backend())
    world.held.renew("a", world.now, connections=7, utilisation={"cpu": 0.5})
    kept = world.held.renew("a", world.now)
    assert (kept.connections, kept.utilisation) == (7, {"cpu": 0.5})
    assert world.held.renew("a", world.now, connections=0).connections == 0


def test_a_drain_counts_its_deadline_down() -> None:
    world = World()
    world.register(backend(), ttl_s=100.0)
    assert world.held.drain("a", 0.0, world.now).within_s(world.now) == 0.0
    drained = world.held.drain("a", 30.0, world.now)
    assert drained.within_s(world.now + 10.0) == 20.0
    assert 0 < drained.within_s(world.now + 60.0) < 1
    assert world.register(backend(life="two")).within_s(world.now) == 0.0


@pytest.mark.parametrize("ttl_s", [0.5, 301.0, math.nan, -1.0, math.inf], ids=str)
def test_a_lease_may_not_be_shorter_or_longer_than_its_bounds(ttl_s: float) -> None:
    with pytest.raises(ConfigError, match=r"ttl_s is .*1 to 300 seconds"):
        check_ttl(ttl_s)


def test_incarnations_and_measures_are_bounded() -> None:
    for wrong in ("x" * 65, "a\nb", "ä"):
        with pytest.raises(ConfigError, match="printable ASCII"):
            check_incarnation(wrong)
    for measures in ({"cpu": -1.0}, {"cpu": math.nan}, {str(number): 0.1 for number in range(17)}, {"x" * 65: 0.1}):
        with pytest.raises(ConfigError, match="utilisation"):
            check_utilisation(measures)
    assert check_utilisation({"cpu": 1.5}) == {"cpu": 1.5}
