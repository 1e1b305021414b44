"""EndpointSlices of one Service, and the backends that come of them."""

import json
from typing import Any

import msgspec

from ringway.sources.kubernetes.service import read_service
from ringway.sources.kubernetes.slices import EndpointSlice, ServiceSlices
from support.kubernetes_traffic import endpoint, part, stopping, unready


def read(raw: dict[str, Any]) -> EndpointSlice:
    return msgspec.json.decode(json.dumps(raw), type=EndpointSlice)


class Slices:
    """The slices of a Service, and how they are found after each change."""

    def __init__(self, spec: str = "kubernetes+ws://chat.default:ws/app,check=/healthz") -> None:
        self.slices = ServiceSlices(read_service(spec))

    def put(self, *parts: dict[str, Any]) -> "Slices":
        for each in parts:
            self.slices.put(read(each))
        self.found = self.slices.find()
        return self

    @property
    def states(self) -> dict[str, str]:
        return {name: "draining" if offer.draining else "up" for name, offer in self.found.offers.items()}

    def url(self, name: str) -> str:
        return next(offer.backend.url for found, offer in self.found.offers.items() if found == name)


def test_a_ready_pod_is_a_backend_with_name_address_zone_and_life() -> None:
    slices = Slices().put(part("chat-1", 1, endpoint("chat-7d4f-x2x", "10.1.0.4", uid="6a")))
    (offer,) = slices.found.offers.values()
    backend = offer.backend
    assert (backend.name, backend.url, backend.zone, backend.life, backend.check) == (
        "chat-7d4f-x2x", "ws://10.1.0.4:9000/app", "eu-west-2a", "6a", "/healthz",
    )  # fmt: skip
    assert not slices.found.problems


def test_unknown_conditions_count_as_ready() -> None:
    slices = Slices().put(part("chat-1", 1, endpoint("a", "10.1.0.4", ready=None, serving=None, terminating=None)))
    assert slices.states == {"a": "up"}


def test_a_pod_that_is_not_ready_is_no_backend() -> None:
    assert Slices().put(part("chat-1", 1, unready("a", "10.1.0.4"), endpoint("b", "10.1.0.5"))).states == {"b": "up"}


def test_a_terminating_pod_that_serves_is_drained_within_its_time() -> None:
    slices = Slices("kubernetes+ws://chat.default,drain-within=40").put(part("chat-1", 1, stopping("a", "10.1.0.4")))
    assert slices.states == {"a": "draining"}
    (offer,) = slices.found.offers.values()
    assert offer.within_s == 40


def test_a_terminating_pod_is_drained_even_where_services_publish_unready_pods_as_ready() -> None:
    pod = endpoint("a", "10.1.0.4", ready=True, serving=True, terminating=True)
    assert Slices().put(part("chat-1", 1, pod)).states == {"a": "draining"}


def test_a_terminating_pod_that_stops_to_serve_keeps_its_deadline() -> None:
    slices = Slices().put(part("chat-1", 1, endpoint("a", "10.1.0.4")))
    slices.put(part("chat-1", 2, stopping("a", "10.1.0.4", serving=False)))
    assert slices.states == {"a": "draining"}


def test_a_terminating_pod_that_never_served_is_not_offered() -> None:
    assert Slices().put(part("chat-1", 1, stopping("a", "10.1.0.4", serving=False))).states == {}


def test_a_pod_that_is_gone_after_it_was_terminating_is_lost() -> None:
    slices = Slices().put(part("chat-1", 1, stopping("a", "10.1.0.4"), endpoint("b", "10.1.0.5")))
    assert not slices.found.lost
    slices.put(part("chat-1", 2, endpoint("b", "10.1.0.5")))
    assert slices.found.lost == {"a"}
    assert slices.states == {"b": "up"}
    assert not slices.put(part("chat-1", 3, endpoint("b", "10.1.0.5"))).found.lost


def test_a_pod_that_only_leaves_the_service_is_not_lost() -> None:
    slices = Slices().put(part("chat-1", 1, endpoint("a", "10.1.0.4"), endpoint("b", "10.1.0.5")))
    slices.put(part("chat-1", 2, endpoint("b", "10.1.0.5")))
    assert not slices.found.lost
    assert slices.states == {"b": "up"}


def test_a_pod_that_comes_back_under_its_name_has_another_life() -> None:
    slices = Slices().put(part("chat-1", 1, stopping("chat-0", "10.1.0.4", uid="1")))
    before = slices.found.offers
    slices.put(part("chat-1", 2, endpoint("chat-0", "10.1.0.9", uid="2")))
    assert slices.states == {"chat-0": "up"}
    assert not slices.found.lost
    lives = {offer.backend.incarnation for offers in (before, slices.found.offers) for offer in offers.values()}
    assert len(lives) == 2


def test_several_slices_are_one_service_and_a_pod_in_two_of_them_is_one_backend() -> None:
    slices = Slices().put(
        part("chat-1", 1, endpoint("a", "10.1.0.4"), unready("b", "10.1.0.5")),
        part("chat-2", 1, endpoint("b", "10.1.0.5"), endpoint("c", "10.1.0.6")),
    )
    assert slices.states == {"a": "up", "b": "up", "c": "up"}


def test_both_ip_families_of_a_pod_are_one_backend_by_ipv4() -> None:
    slices = Slices().put(
        part("chat-1", 1, endpoint("a", "fd00::4"), kind="IPv6"), part("chat-2", 1, endpoint("a", "10.1.0.4"))
    )
    assert slices.url("a") == "ws://10.1.0.4:9000/app"


def test_a_pod_keeps_the_address_by_which_it_was_found_first() -> None:
    slices = Slices().put(part("chat-1", 1, endpoint("a", "fd00::4"), kind="IPv6"))
    slices.put(part("chat-2", 1, endpoint("a", "10.1.0.4")))
    assert slices.url("a") == "ws://[fd00::4]:9000/app"


def test_a_port_is_found_by_its_name_by_its_number_or_because_it_is_the_only_one() -> None:
    both = part("chat-1", 1, endpoint("a", "10.1.0.4"), ports=(("metrics", 9100), ("ws", 9000)))
    one = part("chat-1", 1, endpoint("a", "10.1.0.4"), ports=(("ws", 9001),))
    assert Slices("kubernetes+ws://chat.default:metrics").put(both).url("a") == "ws://10.1.0.4:9100"
    assert Slices("kubernetes+ws://chat.default:9000").put(both).url("a") == "ws://10.1.0.4:9000"
    assert Slices("kubernetes+ws://chat.default").put(one).url("a") == "ws://10.1.0.4:9001"


def test_a_named_port_may_have_another_number_in_each_slice() -> None:
    slices = Slices().put(
        part("chat-1", 1, endpoint("a", "10.1.0.4")),
        part("chat-2", 1, endpoint("b", "10.1.0.5"), ports=(("ws", 9001),)),
    )
    assert (slices.url("a"), slices.url("b")) == ("ws://10.1.0.4:9000/app", "ws://10.1.0.5:9001/app")


def test_a_port_that_is_not_there_is_a_problem_with_the_ports_that_are() -> None:
    slices = Slices("kubernetes+ws://chat.default:80").put(part("chat-1", 1, endpoint("a", "10.1.0.4")))
    assert slices.found.problems == (
        "the pods of chat have no port 80; there are ws=9000: give one by its name, or by its number here",
    )
    assert slices.states == {}


def test_several_ports_need_a_name() -> None:
    both = part("chat-1", 1, endpoint("a", "10.1.0.4"), ports=(("metrics", 9100), ("ws", 9000)))
    (problem,) = Slices("kubernetes+ws://chat.default").put(both).found.problems
    assert "not just one port; there are metrics=9100, ws=9000" in problem


def test_a_port_that_is_renamed_leaves_the_last_backends_in_place() -> None:
    slices = Slices().put(part("chat-1", 1, endpoint("a", "10.1.0.4")))
    slices.put(part("chat-1", 2, endpoint("a", "10.1.0.4"), ports=(("web", 9000),)))
    assert slices.states == {"a": "up"}
    assert "the backends that were known before stay" in slices.found.problems[0]


def test_a_service_without_any_slice_is_a_problem_and_leaves_the_last_backends_in_place() -> None:
    slices = Slices().put(part("chat-1", 1, endpoint("a", "10.1.0.4")))
    slices.slices.remove("chat-1")
    slices.put()
    assert slices.states == {"a": "up"}
    assert "the Service chat in namespace default has no EndpointSlices" in slices.found.problems[0]


def test_a_service_without_pods_has_an_empty_slice_and_no_problem() -> None:
    slices = Slices().put(part("chat-1", 1, endpoint("a", "10.1.0.4")), part("chat-1", 2))
    assert slices.states == {}
    assert not slices.found.problems
    assert not slices.found.lost


def test_names_of_pods_that_are_too_long_for_members_stay_different() -> None:
    long = "a-deployment-with-a-name-of-more-than-sixty-three-characters-"
    slices = Slices().put(part("chat-1", 1, endpoint(long + "xy", "10.1.0.4"), endpoint(long + "xz", "10.1.0.5")))
    assert len(slices.states) == 2
    assert all(len(name) <= 63 for name in slices.states)


def test_an_endpoint_that_is_no_pod_is_named_after_its_address() -> None:
    raw = endpoint("a", "10.1.0.4")
    del raw["targetRef"]
    assert Slices().put(part("chat-1", 1, raw)).states == {"chat-10.1.0.4": "up"}
