"""What the options of a namespace allow a client: the table of PROTOCOL.md P-4.20."""

import re

import pytest

from ringway.core.permission import (
    ALLOWED,
    OPEN,
    Action,
    ChannelRules,
    Grant,
    Ground,
    decide,
    ground_of,
    namespace_of,
    personal_channel,
    rest_of,
    users_of,
)

SUBSCRIBE, PUBLISH = Action.SUBSCRIBE, Action.PUBLISH
UNKNOWN, DENIED, BAD = 102, 103, 107


def rules(action: Action, *, user_limited: bool = False, regex: str = "", **grant: bool) -> ChannelRules:
    return ChannelRules({action: Grant(**grant)}, user_limited, re.compile(regex) if regex else None)


@pytest.mark.parametrize("action", list(Action), ids=lambda action: action.value)
def test_nothing_is_allowed_but_what_an_option_allows(action: Action) -> None:
    assert decide(ChannelRules(), "carol", "room", action, ["room"]) == DENIED
    assert decide(rules(action, client=True), "carol", "room", action) == ALLOWED
    others = [other for other in Action if other is not action]
    assert {decide(rules(action, client=True), "carol", "room", other, ["room"]) for other in others} == {DENIED}


@pytest.mark.parametrize("action", list(Action), ids=lambda action: action.value)
def test_anonymous_clients_need_an_option_more(action: Action) -> None:
    assert decide(rules(action, client=True), "", "room", action) == DENIED
    assert decide(rules(action, anonymous=True), "", "room", action, ["room"]) == DENIED
    assert decide(rules(action, client=True, anonymous=True), "", "room", action) == ALLOWED


@pytest.mark.parametrize("action", [each for each in Action if each is not SUBSCRIBE], ids=lambda action: action.value)
def test_a_subscriber_may_what_is_allowed_to_subscribers(action: Action) -> None:
    granted = rules(action, subscriber=True)
    assert decide(granted, "carol", "room", action, ["room", "other"]) == ALLOWED
    assert decide(granted, "carol", "room", action, ["other"]) == DENIED
    assert decide(granted, "", "room", action, ["room"]) == DENIED


def test_a_namespace_that_is_not_there_is_told() -> None:
    assert decide(None, "carol", "no:room", SUBSCRIBE) == UNKNOWN


@pytest.mark.parametrize(
    ("channel", "code"), [("chat:ab", ALLOWED), ("chat:Ab", BAD), ("chat:", BAD), ("$chat:ab", DENIED)]
)
def test_a_name_must_match_the_pattern_behind_its_namespace(channel: str, code: int) -> None:
    assert decide(rules(SUBSCRIBE, client=True, regex="^[a-z]+$"), "carol", channel, SUBSCRIBE) == code


@pytest.mark.parametrize(
    ("user", "channel", "code"),
    [
        ("carol", "dialog#carol", ALLOWED),
        ("carol", "dialog#dave,carol", ALLOWED),
        ("dave", "dialog#dave,carol", ALLOWED),
        ("eve", "dialog#dave,carol", DENIED),
        ("carol", "#carol", ALLOWED),
        ("carol", "a#eve#carol", ALLOWED),
        ("eve", "a#eve#carol", DENIED),
        ("", "dialog#", DENIED),
        ("", "dialog#,carol", DENIED),
        ("caro", "dialog#carol", DENIED),
        ("carol,dave", "dialog#carol,dave", DENIED),
        ("carol", "$dialog#carol", DENIED),
        ("eve", "room", ALLOWED),
    ],
)
def test_a_user_limited_channel_is_for_its_users(user: str, channel: str, code: int) -> None:
    limited = rules(SUBSCRIBE, client=True, anonymous=True, user_limited=True)
    assert decide(limited, user, channel, SUBSCRIBE) == code


def test_users_of_a_channel_need_no_further_option_and_count_only_where_they_are_on() -> None:
    assert decide(ChannelRules(user_limited=True), "carol", "dialog#carol", SUBSCRIBE) == ALLOWED
    assert decide(rules(SUBSCRIBE, client=True), "eve", "dialog#carol", SUBSCRIBE) == ALLOWED


@pytest.mark.parametrize("channel", ["$room", "dialog#dave"])
def test_what_is_allowed_without_a_subscription_does_not_reach_into_closed_channels(channel: str) -> None:
    """Stricter than Centrifugo, which looks at neither."""
    granted = rules(PUBLISH, client=True, user_limited=True)
    assert decide(granted, "carol", channel, PUBLISH) == DENIED
    assert decide(granted, "carol", channel, PUBLISH, [channel]) == ALLOWED
    assert decide(granted, "carol", "dialog#carol", PUBLISH) == ALLOWED


@pytest.mark.parametrize("action", list(Action), ids=lambda action: action.value)
@pytest.mark.parametrize("channel", ["room", "$room", "no:room", "dialog#dave"])
def test_an_open_node_allows_everything(action: Action, channel: str) -> None:
    assert decide(OPEN, "", channel, action) == ALLOWED


@pytest.mark.parametrize(
    ("channel", "namespace", "rest", "users"),
    [
        ("room", "", "room", []),
        ("$room", "", "room", []),
        ("chat:room:1", "chat", "room:1", []),
        ("$chat:room#a,b", "chat", "room#a,b", ["a", "b"]),
        (":room", "", "room", []),
        ("$$a", "", "$a", []),
        ("a#", "", "a#", []),
    ],
)
def test_the_parts_of_a_name(channel: str, namespace: str, rest: str, users: list[str]) -> None:
    assert (namespace_of(channel), rest_of(channel), users_of(channel)) == (namespace, rest, users)


def test_a_personal_channel_is_limited_to_its_user() -> None:
    assert (personal_channel("", "carol"), personal_channel("personal", "carol")) == ("#carol", "personal:#carol")
    assert decide(ChannelRules(user_limited=True), "carol", "personal:#carol", SUBSCRIBE) == ALLOWED


@pytest.mark.parametrize(
    ("options", "user", "channel", "action", "subscribed", "ground"),
    [
        (rules(SUBSCRIBE, client=True), "carol", "room", SUBSCRIBE, (), Ground.CLIENT),
        (rules(SUBSCRIBE, client=True), "", "room", SUBSCRIBE, (), Ground.ANONYMOUS),
        (rules(SUBSCRIBE, client=True), "carol", "$room", SUBSCRIBE, (), Ground.PRIVATE),
        (rules(SUBSCRIBE, user_limited=True), "carol", "a#carol", SUBSCRIBE, (), Ground.OWN),
        (rules(SUBSCRIBE, user_limited=True), "dave", "a#carol", SUBSCRIBE, (), Ground.OTHERS),
        (rules(PUBLISH, subscriber=True), "carol", "room", PUBLISH, (), Ground.NOT_SUBSCRIBED),
        (rules(PUBLISH, subscriber=True), "carol", "room", PUBLISH, ("room",), Ground.SUBSCRIBER),
        (rules(PUBLISH, client=True), "carol", "$room", PUBLISH, ("$room",), Ground.CLIENT_WITHIN),
        (rules(PUBLISH, anonymous=True), "", "room", PUBLISH, ("room",), Ground.NO_OPTION),
        (rules(PUBLISH, regex="^x$"), "carol", "room", PUBLISH, (), Ground.WRONG_NAME),
        (None, "carol", "none:room", PUBLISH, (), Ground.UNKNOWN_NAMESPACE),
        (OPEN, "", "$room", SUBSCRIBE, (), Ground.UNCHECKED),
    ],
    ids=lambda value: value.name if isinstance(value, Ground) else "",
)
def test_each_decision_has_its_ground(
    options: ChannelRules | None,
    user: str,
    channel: str,
    action: Action,
    subscribed: tuple[str, ...],
    ground: Ground,
) -> None:
    assert ground_of(options, user, channel, action, subscribed) is ground
    assert decide(options, user, channel, action, subscribed) == ground.code
