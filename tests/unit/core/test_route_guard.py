"""No spelling of a path leads past a route that asks for a token."""

import pytest

from ringway.core.group import Groups
from ringway.core.route_guard import plain_path
from ringway.core.route_spec import read_routes
from ringway.errors import UpgradeError
from ringway.gateway.placement.routing import Routing
from ringway.types import Issuer

ROUTES = ("path=/chat auth=jwt", "path=/chat/public", "path=/", "host=a.b path=/Feed auth=jwt", "host=a.b path=/open")


def routing(*specs: str) -> Routing:
    return Routing(read_routes(specs), Groups(Issuer("0badcafe")), has_backends=True)


@pytest.mark.parametrize(
    ("path", "plain"),
    [
        ("/chat", "/chat"),
        ("/%63hat", "/chat"),
        ("/%2563hat", "/chat"),
        ("/CHAT/a", "/chat/a"),
        ("//chat", "/chat"),
        ("/./chat", "/chat"),
        ("/open/../chat", "/chat"),
        ("/open/%2e%2E/chat", "/chat"),
        ("/open%2f..%2fchat", "/chat"),
        ("/../chat", "/chat"),
        ("/chat;v=1/a", "/chat/a"),
        ("/;x/chat", "/chat"),
        ("\\chat", "/chat"),
        ("/open\\..\\chat", "/chat"),
        ("/chat/", "/chat"),
        ("/", "/"),
    ],
)
def test_a_path_is_read_as_the_most_lenient_server_reads_it(path: str, plain: str) -> None:
    assert plain_path(path) == plain


@pytest.mark.parametrize(
    "path",
    [
        "/%63hat",
        "/CHAT",
        "//chat",
        "/x/../chat",
        "/chat;x",
        "/chat%2fa",
        "/chat/public/../a",
        "/%2563hat",
        "/x\\..\\chat",
    ],
)
def test_another_spelling_of_a_guarded_path_is_refused_on_an_open_route(path: str) -> None:
    with pytest.raises(UpgradeError) as refused:
        routing(*ROUTES).find("any", path)
    assert (refused.value.status, "write it as the route does: /chat" in str(refused.value)) == (400, True)


def test_hosts_have_guards_of_their_own() -> None:
    with pytest.raises(UpgradeError, match="another spelling"):
        routing(*ROUTES).find("a.b:80", "/open/../feed")
    assert routing(*ROUTES).find("c", "/feed").path == "/"


@pytest.mark.parametrize(
    "path", ["/", "/Other", "/a%20b", "/chats", "/chat/public", "/chat/public/A%2fb", "/x;y", "/x/../y"]
)
def test_other_paths_of_open_routes_are_not(path: str) -> None:
    assert not routing(*ROUTES).find("any", path).auth


def test_without_a_choice_between_guarded_and_open_nothing_is_refused() -> None:
    assert routing("path=/chat", "path=/").find("any", "/%63hat").path == "/"
    assert routing("path=/chat auth=jwt", "path=/ auth=jwt").find("any", "/%63hat").auth == "jwt"
