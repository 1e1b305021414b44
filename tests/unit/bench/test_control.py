"""The bounds of the control benchmark: for processor time as on a machine that nobody else uses."""

from control import Cost, Phase, claims_of


def phase(name: str, gateway_percent: float, *, turn_ms: float = 1.0, slowness: float = 1.0) -> Phase:
    return Phase(name, Cost(gateway_percent, 0.0, turn_ms, 0.0), Cost(0.1, 0.0, 1.0, 0.0), 0.0, slowness)


def missed(policy: str, *phases: Phase) -> list[str]:
    return [claim.what for claim in claims_of("nats", policy, {each.name: each for each in phases}) if not claim.held]


def test_time_is_divided_by_the_slowness_of_its_phase() -> None:
    assert not missed("two-choices", phase("calm", 9.0, slowness=2.0), phase("moving", 10.0))
    [late] = missed("two-choices", phase("calm", 9.0), phase("moving", 19.0, slowness=2.0))
    assert "gateway, calm" in late


def test_the_longest_turn_counts_in_every_phase_and_for_every_policy() -> None:
    assert not missed("ring", phase("join", 50.0, turn_ms=30.0, slowness=1.6), phase("calm", 50.0))
    [long] = missed("ring", phase("join", 1.0), phase("calm", 1.0, turn_ms=21.0))
    assert "longest turn of the gateway" in long
