import pytest

from ringway.member.process import ACCEPT_PER_S_START, Vitals, memory_bytes


class Machine:
    def __init__(self) -> None:
        self.now = 10.0
        self.cpu = 1.0

    def vitals(self) -> Vitals:
        return Vitals(lambda: self.now, lambda: self.cpu)


@pytest.fixture
def machine() -> Machine:
    return Machine()


def test_cpu_is_the_share_of_one_core(machine: Machine) -> None:
    vitals = machine.vitals()
    machine.now, machine.cpu = 12.0, 1.5
    vitals.sample(0, 0)
    assert vitals.cpu == pytest.approx(0.25)
    machine.now, machine.cpu = 13.0, 4.0
    vitals.sample(0, 0)
    assert vitals.cpu == 1.0


def test_lag_is_the_worst_of_a_period(machine: Machine) -> None:
    vitals = machine.vitals()
    for late in (0.01, 0.3, 0.02):
        vitals.expect(machine.now + 0.25)
        machine.now += 0.25 + late
        vitals.pulse()
    vitals.sample(0, 0)
    assert vitals.loop_lag_s == pytest.approx(0.3)
    machine.now += 1
    vitals.sample(0, 0)
    assert vitals.loop_lag_s == 0.0


def test_the_accept_rate_is_measured_from_what_handshakes_cost(machine: Machine) -> None:
    vitals = machine.vitals()
    assert vitals.accept_per_s == ACCEPT_PER_S_START
    accepted = 0
    for _ in range(50):
        machine.now += 1
        machine.cpu += 0.1  # the base load
        vitals.sample(accepted, accepted)
    assert vitals.accept_per_s == ACCEPT_PER_S_START
    for _ in range(20):
        machine.now += 1
        machine.cpu += 0.1 + 100 * 0.0005
        accepted += 100
        vitals.sample(accepted, accepted)
    assert vitals.accept_per_s == pytest.approx(0.5 * 0.9 / 0.0005, rel=0.1)


def test_a_few_handshakes_say_nothing(machine: Machine) -> None:
    vitals = machine.vitals()
    machine.now, machine.cpu = 11.0, 1.9
    vitals.sample(3, 3)
    assert vitals.accept_per_s == ACCEPT_PER_S_START


def test_a_busy_node_to_which_clients_always_come_is_not_taken_for_a_slow_one(machine: Machine) -> None:
    """60 % of the core for publications, 30 newcomers a second; then a crowd of 500, at half a millisecond each."""
    vitals = machine.vitals()
    accepted = 0
    for _ in range(300):
        machine.now += 1
        machine.cpu += 0.6 + 30 * 0.0005
        accepted += 30
        vitals.sample(accepted, accepted)
    for _ in range(10):
        machine.now += 1
        machine.cpu += 0.6 + 500 * 0.0005
        accepted += 500
        vitals.sample(accepted, accepted)
    assert vitals.accept_per_s == pytest.approx(0.5 * 0.4 / 0.0005, rel=0.2)


def test_a_node_that_was_slow_once_is_given_another_chance(machine: Machine) -> None:
    vitals = machine.vitals()
    machine.now, machine.cpu = 11.0, 2.0
    vitals.sample(25, 25)
    assert vitals.accept_per_s < 30
    for _ in range(3000):
        machine.now += 1
        vitals.sample(25, 25)
    assert 200 < vitals.accept_per_s <= ACCEPT_PER_S_START
    quick = machine.vitals()
    machine.now, machine.cpu = machine.now + 1, machine.cpu + 0.02
    quick.sample(100, 100)
    before = quick.accept_per_s
    for _ in range(2000):
        machine.now += 1
        quick.sample(100, 100)
    assert quick.accept_per_s >= before > ACCEPT_PER_S_START


def test_sockets_that_wait_to_be_answered_say_nothing(machine: Machine) -> None:
    """All are accepted by the kernel's side in one second, and answered in the next."""
    vitals = machine.vitals()
    for _ in range(3):
        machine.now += 1
        machine.cpu += 1.0
        vitals.sample(0, 4000)
    machine.now += 1
    machine.cpu += 1.0
    vitals.sample(1500, 4000)
    assert vitals.accept_per_s == ACCEPT_PER_S_START


def test_a_flood_that_is_refused_does_not_lower_the_rate(machine: Machine) -> None:
    vitals = machine.vitals()
    accepted = refused = 0
    for _ in range(20):
        machine.now += 1
        machine.cpu += 100 * 0.001
        accepted += 100
        vitals.sample(accepted, accepted + refused)
    before = vitals.accept_per_s
    for _ in range(20):
        machine.now += 1
        machine.cpu += 1.0
        accepted += 100
        refused += 3000
        vitals.sample(accepted, accepted + refused)
    assert vitals.accept_per_s == before
    for _ in range(5):  # nor do refusals alone make it lower
        machine.now += 1
        machine.cpu += 1.0
        refused += 3000
        vitals.sample(accepted, accepted + refused)
    assert vitals.accept_per_s == before


def test_a_clock_that_stands_still_is_no_fault(machine: Machine) -> None:
    vitals = machine.vitals()
    vitals.sample(100, 100)
    assert vitals.cpu == 0.0


def test_memory_is_that_of_this_process() -> None:
    assert memory_bytes() > 1 << 20
