import pytest

from ringway.node.vitals import ACCEPT_PER_S_START, Vitals, memory_bytes


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
    vitals.sample(0)
    assert vitals.cpu == pytest.approx(0.25)
    machine.now, machine.cpu = 13.0, 4.0
    vitals.sample(0)
    assert vitals.cpu == 1.0


def test_lag_is_the_worst_of_a_period(machine: Machine) -> None:
    vitals = machine.vitals()
    for late in (0.01, 0.3, 0.02):
        vitals.expect(machine.now + 0.25)
        machine.now += 0.25 + late
        vitals.pulse()
    vitals.sample(0)
    assert vitals.loop_lag_s == pytest.approx(0.3)
    machine.now += 1
    vitals.sample(0)
    assert vitals.loop_lag_s == 0.0


def test_the_accept_rate_is_measured_from_what_handshakes_cost(machine: Machine) -> None:
    vitals = machine.vitals()
    assert vitals.accept_per_s == ACCEPT_PER_S_START
    accepted = 0
    for _ in range(50):
        machine.now += 1
        machine.cpu += 0.1  # the base load
        vitals.sample(accepted)
    assert vitals.accept_per_s == ACCEPT_PER_S_START
    for _ in range(20):
        machine.now += 1
        machine.cpu += 0.1 + 100 * 0.0005
        accepted += 100
        vitals.sample(accepted)
    assert vitals.accept_per_s == pytest.approx(0.5 * 0.9 / 0.0005, rel=0.1)


def test_a_few_handshakes_say_nothing(machine: Machine) -> None:
    vitals = machine.vitals()
    machine.now, machine.cpu = 11.0, 1.9
    vitals.sample(3)
    assert vitals.accept_per_s == ACCEPT_PER_S_START


def test_a_clock_that_stands_still_is_no_fault(machine: Machine) -> None:
    vitals = machine.vitals()
    vitals.sample(100)
    assert vitals.cpu == 0.0


def test_memory_is_that_of_this_process() -> None:
    assert memory_bytes() > 1 << 20
