"""Instances of an application over time, and the offers that follow."""

from typing import Any

from ringway.sources.eureka.application import read_application
from ringway.sources.eureka.instance import read_instances
from ringway.sources.eureka.registry import SeenInstances
from support.eureka_traffic import application, instance

A, B = "127.0.0.1-chat-1", "127.0.0.1-chat-2"


class Registry:
    """What is seen of a registry, by its answers."""

    def __init__(self, options: str = "") -> None:
        self.seen = SeenInstances(read_application("eureka+http://registry/eureka,app=CHAT" + options), 60.0)
        self.now = 1000.0
        self.problems: list[str] = []

    def answers(self, *instances: dict[str, Any], after_s: float = 5.0) -> dict[str, str]:
        self.now += after_s
        self.offers, self.problems = self.seen.update(read_instances(application(*instances)), self.now)
        return {name: "draining" if offer.draining else "up" for name, offer in self.offers.items()}


def test_an_instance_that_is_up_is_offered() -> None:
    registry = Registry()
    assert registry.answers(instance(1), instance(2)) == {A: "up", B: "up"}
    assert registry.problems == []


def test_an_instance_that_starts_is_not_offered_before_it_is_up() -> None:
    registry = Registry()
    assert registry.answers(instance(1), instance(2, "STARTING")) == {A: "up"}
    assert registry.answers(instance(1), instance(2)) == {A: "up", B: "up"}
    assert registry.answers(instance(1), instance(2, "STARTING")) == {A: "up", B: "draining"}


def test_an_instance_out_of_service_is_drained_within_its_time() -> None:
    registry = Registry(",drain-within=30")
    assert registry.answers(instance(1, "OUT_OF_SERVICE"), instance(2)) == {A: "draining", B: "up"}
    assert sorted(offer.within_s for offer in registry.offers.values()) == [0, 30]
    assert registry.answers(instance(1), instance(2)) == {A: "up", B: "up"}


def test_an_instance_that_is_down_is_gone_at_once() -> None:
    registry = Registry()
    registry.answers(instance(1), instance(2))
    assert registry.answers(instance(1), instance(2, "DOWN")) == {A: "up"}
    assert registry.answers(instance(1, "DOWN"), instance(2, "DOWN")) == {}


def test_an_instance_that_is_missing_keeps_its_state_for_a_while() -> None:
    registry = Registry()
    registry.answers(instance(1), instance(2))
    assert registry.answers(instance(1)) == {A: "up", B: "up"}
    assert registry.answers(instance(1), after_s=59) == {A: "up", B: "up"}
    assert registry.answers(instance(1), after_s=1) == {A: "up"}


def test_the_time_of_an_instance_that_is_missing_begins_with_the_answer_that_misses_it() -> None:
    registry = Registry()
    registry.answers(instance(1), instance(2))
    assert registry.answers(instance(1), after_s=3600) == {A: "up", B: "up"}


def test_an_instance_that_comes_back_is_not_missing_any_more() -> None:
    registry = Registry()
    registry.answers(instance(1), instance(2))
    registry.answers(instance(1))
    registry.answers(instance(1), instance(2), after_s=50)
    assert registry.answers(instance(1), after_s=50) == {A: "up", B: "up"}


def test_an_instance_in_an_unknown_state_counts_as_missing() -> None:
    registry = Registry()
    registry.answers(instance(1), instance(2))
    assert registry.answers(instance(1), instance(2, "UNKNOWN")) == {A: "up", B: "up"}
    assert registry.answers(instance(1), instance(2, "UNKNOWN"), after_s=60) == {A: "up"}


def test_a_registry_that_knows_nobody_leaves_all_in_place_and_is_a_problem() -> None:
    registry = Registry()
    registry.answers(instance(1), instance(2))
    assert registry.answers(after_s=100) == {A: "up", B: "up"}
    assert registry.answers(after_s=100) == {A: "up", B: "up"}
    assert "the registry knows no instance of CHAT that can be used" in registry.problems[0]
    assert "the 2 that were known stay" in registry.problems[0]
    assert registry.answers(instance(2), after_s=100) == {A: "up", B: "up"}


def test_two_instances_with_one_legal_name_are_a_problem_and_the_first_is_used() -> None:
    registry = Registry()
    other = instance(2, instanceId="127.0.0.1/chat/1")
    assert registry.answers(instance(1), other) == {A: "up"}
    assert registry.problems == [f"the instances 127.0.0.1:chat:1 and 127.0.0.1/chat/1 have one name: {A}"]
    assert [offer.backend.url for offer in registry.offers.values()] == ["ws://127.0.0.1:1"]
