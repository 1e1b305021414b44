"""What a bearer may do is what a node decides, with its ground; and the codes are those of the node."""

import msgspec
import pytest

from ringway.core.permission import Action, decide
from ringway.errors import CommandError
from ringway.node.commands.bearer import BY_HOOK, NO, SUBSCRIBED, YES, Bearer
from ringway.node.config.namespace import Namespaces
from ringway.node.config.node import NodeConfig
from ringway.protocol.claims import ConnectionClaims, SubscriptionClaims

NAMESPACES = (
    "default:history_size=0",
    "chat:history_size=9,join_leave=true,allow_subscribe_for_client=true,allow_publish_for_subscriber=true,"
    "allow_presence_for_subscriber=true,allow_history_for_client=true,channel_regex=^room-[0-9]+$",
    "news:history_size=0,presence=false,allow_subscribe_for_client=true,allow_subscribe_for_anonymous=true,"
    "allow_presence_for_client=true,allow_history_for_client=true",
    "dialog:allow_user_limited_channels=true,allow_publish_for_client=true",
    "asked:subscribe_hook=app,publish_hook=app,allow_user_limited_channels=true,channel_regex=[a-z#],"
    "allow_presence_for_subscriber=true",
    "told:join_leave=true,force_push_join_leave=true,allow_subscribe_for_client=true",
)
CAROL = ConnectionClaims(sub="carol")
ROOM = "chat:room-1"


def bearer(claims: ConnectionClaims | SubscriptionClaims | None = CAROL, **settings: object) -> Bearer:
    hooks = ("app:endpoint=https://app.example/hooks",)
    return Bearer(msgspec.convert({"namespaces": NAMESPACES, "hooks": hooks, **settings}, NodeConfig), claims, 1000.0)


@pytest.mark.parametrize(
    ("channel", "expected"),
    [
        (ROOM, {"subscribe": (YES, 0), "publish": (SUBSCRIBED, 0), "presence": (SUBSCRIBED, 0), "history": (YES, 0)}),
        ("$" + ROOM, {"subscribe": (NO, 103), "publish": (SUBSCRIBED, 0), "history": (SUBSCRIBED, 0)}),
        ("chat:hall", {"subscribe": (NO, 107), "publish": (NO, 107), "presence": (NO, 107), "history": (NO, 107)}),
        ("news:today", {"subscribe": (YES, 0), "publish": (NO, 103), "presence": (NO, 108), "history": (NO, 108)}),
        ("none:x", {"subscribe": (NO, 102), "publish": (NO, 102), "presence": (NO, 102), "history": (NO, 102)}),
        ("dialog:#carol,dave", {"subscribe": (YES, 0), "publish": (YES, 0)}),
        ("dialog:#dave", {"subscribe": (NO, 103), "publish": (SUBSCRIBED, 0)}),
        ("asked:x", {"subscribe": (BY_HOOK, 0), "publish": (BY_HOOK, 0), "presence": (SUBSCRIBED, 0)}),
        ("asked:#dave", {"subscribe": (NO, 103), "publish": (BY_HOOK, 0)}),
        ("asked:1", {"subscribe": (NO, 107), "publish": (NO, 107)}),
    ],
)
def test_a_user_may_what_the_options_allow(channel: str, expected: dict[str, tuple[str, int]]) -> None:
    answers = bearer().in_channel(channel)
    found = {action: getattr(answers, action) for action in expected}
    assert {action: (answer.allowed, answer.code) for action, answer in found.items()} == expected
    assert all(answer.why for answer in found.values())


def test_the_ground_names_the_options() -> None:
    answers = bearer().in_channel(ROOM)
    assert answers.publish.why == "allow_publish_for_subscriber"
    assert bearer().in_channel("x").publish.why == (
        "no option allows it; set allow_publish_for_client or allow_publish_for_subscriber"
    )
    nameless = bearer(None, allow_anonymous_connect_without_token=True)
    assert nameless.in_channel("news:x").subscribe.why == (
        "allow_subscribe_for_client, and allow_subscribe_for_anonymous"
    )
    assert nameless.in_channel(ROOM).subscribe.why == "allow_subscribe_for_anonymous is not set"


@pytest.mark.parametrize(
    ("channel", "joins"),
    [(ROOM, SUBSCRIBED), ("told:x", SUBSCRIBED), ("news:x", NO), ("dialog:x", NO), ("none:x", NO)],
)
def test_joins_and_leaves_are_told_to_those_who_may_ask_or_to_all(channel: str, joins: str) -> None:
    assert bearer().in_channel(channel).joins.allowed == joins


@pytest.mark.parametrize(
    ("claims", "settings", "allowed", "code"),
    [
        (CAROL, {}, YES, 0),
        (None, {}, NO, 3501),
        (None, {"allow_anonymous_connect_without_token": True}, YES, 0),
        (None, {"connect_hook": "app"}, BY_HOOK, 0),
        (ConnectionClaims(), {}, YES, 0),
        (ConnectionClaims(), {"disallow_anonymous_connection_tokens": True}, NO, 3507),
        (ConnectionClaims(sub="carol", channels=("none:x",)), {}, NO, 102),
        (ConnectionClaims(sub="carol", channels=("a", "b")), {"subscriptions_max": 1}, NO, 106),
        (ConnectionClaims(sub="carol", info=msgspec.Raw(b'"' + b"x" * 5000 + b'"')), {}, NO, 3500),
        (SubscriptionClaims(sub="carol", channel=ROOM), {}, NO, 3500),
    ],
    ids=[
        "user", "nameless", "nameless allowed", "by a hook", "token without user", "which is refused",
        "unknown namespace", "too many channels", "too long info", "subscription token",
    ],
)  # fmt: skip
def test_who_may_connect(
    claims: ConnectionClaims | SubscriptionClaims | None, settings: dict[str, object], allowed: str, code: int
) -> None:
    answer = bearer(claims, **settings).connect()
    assert (answer.allowed, answer.code) == (allowed, code)


def test_the_server_subscribes_to_the_channels_of_the_token_and_the_personal_one() -> None:
    settings = {"subscribe_to_user_personal_channel": True, "personal_channel_namespace": "dialog"}
    found = bearer(ConnectionClaims(sub="carol", channels=("$" + ROOM,)), **settings)
    assert found.server_side() == ["$" + ROOM, "dialog:#carol"]
    answers = found.in_channel("$" + ROOM)
    assert (answers.subscribe.allowed, answers.publish.allowed) == (YES, YES)


def test_a_subscription_token_opens_its_channel_and_no_other() -> None:
    found = bearer(SubscriptionClaims(sub="carol", channel="$" + ROOM))
    [answers] = found.answers(())
    assert (answers.channel, answers.subscribe.allowed, answers.publish.allowed) == ("$" + ROOM, YES, YES)
    other = found.in_channel(ROOM).subscribe
    assert (other.allowed, other.code, "'$chat:room-1'" in other.why) == (NO, 3500, True)
    unknown = bearer(SubscriptionClaims(sub="carol", channel="none:x")).answers(())[0].subscribe
    assert unknown.code == 102, "a token makes no namespace"


def test_without_names_each_namespace_is_answered_and_the_own_channels() -> None:
    found = bearer().answers(())
    assert [each.channel for each in found] == [
        "*",
        "chat:*",
        "news:*",
        "dialog:*",
        "dialog:#carol",
        "asked:*",
        "asked:#carol",
        "told:*",
    ]
    [chat] = [each for each in found if each.namespace == "chat"]
    assert chat.subscribe.allowed == YES, "for all names that match the channel_regex"
    assert "dialog:#" not in [each.channel for each in bearer(None).answers(())]


def test_an_open_node_allows_everything() -> None:
    for each in bearer(None, insecure=True).answers(("$x", "none:y")):
        assert {each.subscribe.allowed, each.publish.allowed, each.presence.allowed} == {YES}


def test_what_is_no_name_of_a_channel_is_refused() -> None:
    with pytest.raises(CommandError, match="107"):
        bearer().in_channel("")


@pytest.mark.parametrize("user", ["carol", ""])
def test_answers_are_the_decisions_of_a_node(user: str) -> None:
    namespaces, found = Namespaces(NAMESPACES), bearer(ConnectionClaims(sub=user))
    for channel in (ROOM, "$" + ROOM, "chat:hall", "news:x", "none:x", "dialog:#carol", "dialog:#dave", "x"):
        for action in Action:
            code = decide(namespaces.rules_of(channel), user, channel, action, (channel,))
            answer = getattr(found.in_channel(channel), action.value)
            assert answer.code == code or (code, answer.code) == (0, 108)
