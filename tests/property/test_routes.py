"""Routes: for any routes and requests the most specific one is chosen, and the order of the routes has no meaning."""

import random

from hypothesis import given
from hypothesis import strategies as st

from ringway.core.route import GroupRoute, RouteTable

NAMES = st.sampled_from(["a.test", "b.a.test", "c.b.a.test", "d.test", "x"])
HOSTS = st.one_of(st.just(""), NAMES, NAMES.map(lambda name: f"*.{name}"))
SEGMENTS = st.lists(st.sampled_from(["chat", "chats", "a", ""]), max_size=4)
PATHS = SEGMENTS.map(lambda segments: "/" + "/".join(segments))
ROUTES = st.lists(
    st.builds(GroupRoute, host=HOSTS, path=PATHS.map(lambda path: path.replace("//", "/a/"))),
    max_size=12,
    unique_by=lambda route: route.place,
)
SENT = st.tuples(NAMES, st.sampled_from(["", ":8000", ".", ".:80"])).map("".join)


def fits(route: GroupRoute, host: str, path: str) -> bool:
    """True if `route` is for the name `host` and `path`, by the words of PROTOCOL.md P-3.13."""
    prefix = route.path.rstrip("/").split("/")
    by_path = path.split("/")[: len(prefix)] == prefix
    by_host = not route.host or route.host == host or (route.host[:2] == "*." and host.endswith(route.host[1:]))
    return by_path and by_host


def rank(route: GroupRoute) -> tuple[int, int, int]:
    """Return how specific `route` is: its host, then its path."""
    kind = 0 if not route.host else 1 if route.host.startswith("*.") else 2
    return kind, len(route.host), len(route.path.rstrip("/"))


@given(ROUTES, SENT, PATHS)
def test_the_most_specific_route_that_fits_is_chosen(routes: list[GroupRoute], host: str, path: str) -> None:
    name = host.partition(":")[0].removesuffix(".")
    fitting = [route for route in routes if fits(route, name, path)]
    found = RouteTable(routes).find(host, path)
    assert found == max(fitting, key=rank, default=None)


@given(ROUTES, SENT, PATHS, st.integers())
def test_the_order_of_the_routes_has_no_meaning(routes: list[GroupRoute], host: str, path: str, seed: int) -> None:
    mixed = random.Random(seed).sample(routes, len(routes))
    assert RouteTable(mixed).find(host, path) == RouteTable(routes).find(host, path)


@given(ROUTES, st.text(), st.text())
def test_any_request_is_answered_and_with_a_route_for_all_each_has_one(
    routes: list[GroupRoute], host: str, path: str
) -> None:
    everything = GroupRoute(group="rest")
    table = RouteTable([*(route for route in routes if route.place != everything.place), everything])
    assert RouteTable(routes).find(host, "/" + path) in (*routes, None)
    assert table.find(host, "/" + path) is not None
