import pytest

from ringway.member.process import ACCEPT_PER_S_START, ProcessStats, memory_bytes


class Machine:
    def __init__(self) -> None:
        self.now = 10.0
        self.cpu = 1.0

    def process(self) -> ProcessStats:
        return ProcessStats(lambda: self.now, lambda: self.cpu)


@pytest.fixture
def machine() -> Machine:
    return Machine()


def test_cpu_is_the_share_of_one_core(machine: Machine) -> None:
    process = machine.process()
    machine.now, machine.cpu = 12.0, 1.5
    process.sample(0, 0)
    assert process.cpu == pytest.approx(0.25)
    machine.now, machine.cpu = 13.0, 4.0
    process.sample(0, 0)
    assert process.cpu == 1.0


def test_lag_is_the_worst_of_a_period(machine: Machine) -> None:
    process = machine.process()
    for late in (0.01, 0.3, 0.02):
        process.expect(machine.now + 0.25)
        machine.now += 0.25 + late
        process.pulse()
    process.sample(0, 0)
    assert process.loop_lag_s == pytest.approx(0.3)
    machine.now += 1
    process.sample(0, 0)
    assert process.loop_lag_s == 0.0


def test_the_accept_rate_is_measured_from_what_handshakes_cost(machine: Machine) -> None:
    process = machine.process()
    assert process.accept_per_s == ACCEPT_PER_S_START
    accepted = 0
    for _ in range(50):
        machine.now += 1
        machine.cpu += 0.1  # the base load
        process.sample(accepted, accepted)
    assert process.accept_per_s == ACCEPT_PER_S_START
    for _ in range(20):
        machine.now += 1
        machine.cpu += 0.1 + 100 * 0.0005
        accepted += 100
        process.sample(accepted, accepted)
    assert process.accept_per_s == pytest.approx(0.5 * 0.9 / 0.0005, rel=0.1)


def test_a_few_handshakes_say_nothing(machine: Machine) -> None:
    process = machine.process()
    machine.now, machine.cpu = 11.0, 1.9
    process.sample(3, 3)
    assert process.accept_per_s == ACCEPT_PER_S_START


def test_a_busy_node_to_which_clients_always_come_is_not_taken_for_a_slow_one(machine: Machine) -> None:
    """60 % of the core for publications, 30 newcomers a second; then a crowd of 500, at half a millisecond each."""
    process = machine.process()
    accepted = 0
    for _ in range(300):
        machine.now += 1
        machine.cpu += 0.6 + 30 * 0.0005
        accepted += 30
        process.sample(accepted, accepted)
    for _ in range(10):
        machine.now += 1
        machine.cpu += 0.6 + 500 * 0.0005
        accepted += 500
        process.sample(accepted, accepted)
    assert process.accept_per_s == pytest.approx(0.5 * 0.4 / 0.0005, rel=0.2)


def test_a_node_that_was_slow_once_is_given_another_chance(machine: Machine) -> None:
    process = machine.process()
    machine.now, machine.cpu = 11.0, 2.0
    process.sample(25, 25)
    assert process.accept_per_s < 30
    for _ in range(3000):
        machine.now += 1
        process.sample(25, 25)
    assert 200 < process.accept_per_s <= ACCEPT_PER_S_START
    quick = machine.process()
    machine.now, machine.cpu = machine.now + 1, machine.cpu + 0.02
    quick.sample(100, 100)
    before = quick.accept_per_s
    for _ in range(2000):
        machine.now += 1
        quick.sample(100, 100)
    assert quick.accept_per_s >= before > ACCEPT_PER_S_START


def test_sockets_that_wait_to_be_answered_say_nothing(machine: Machine) -> None:
    """All are accepted by the kernel's side in one second, and answered in the next."""
    process = machine.process()
    for _ in range(3):
        machine.now += 1
        machine.cpu += 1.0
        process.sample(0, 4000)
    machine.now += 1
    machine.cpu += 1.0
    process.sample(1500, 4000)
    assert process.accept_per_s == ACCEPT_PER_S_START


def test_a_flood_that_is_refused_does_not_lower_the_rate(machine: Machine) -> None:
    process = machine.process()
    accepted = refused = 0
    for _ in range(20):
        machine.now += 1
        machine.cpu += 100 * 0.001
        accepted += 100
        process.sample(accepted, accepted + refused)
    before = process.accept_per_s
    for _ in range(20):
        machine.now += 1
        machine.cpu += 1.0
        accepted += 100
        refused += 3000
        process.sample(accepted, accepted + refused)
    assert process.accept_per_s == before
    for _ in range(5):  # nor do refusals alone make it lower
        machine.now += 1
        machine.cpu += 1.0
        refused += 3000
        process.sample(accepted, accepted + refused)
    assert process.accept_per_s == before


def test_a_clock_that_stands_still_is_no_fault(machine: Machine) -> None:
    process = machine.process()
    process.sample(100, 100)
    assert process.cpu == 0.0


def test_memory_is_that_of_this_process() -> None:
    assert memory_bytes() > 1 << 20
