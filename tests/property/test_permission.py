"""Permission as a whole: options only add, a subscription only adds, and a move adds nothing."""

import math
import re
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from ringway.core.credentials import Credentials
from ringway.core.permission import ALLOWED, Action, ChannelRules, Grant, decide
from ringway.core.session import Held, Session, decode_session, encode_session, identity_problem, version_of
from ringway.core.subscription_rights import SubscriptionRights

actions = st.sampled_from(list(Action))
users = st.sampled_from(["", "carol", "dave"])
channels = st.sampled_from(
    ["room", "$room", "chat:a", "$chat:a", "d#carol", "d#carol,dave", "$d#dave", "#", "a#b#carol"]
)
grants = st.builds(Grant, st.booleans(), st.booleans(), st.booleans())
rules = st.builds(
    ChannelRules,
    st.dictionaries(actions, grants),
    st.booleans(),
    st.sampled_from([None, re.compile("^[a-z#]+$"), re.compile("o")]),
)
subscribed = st.sets(channels)


@given(rules=rules, user=users, channel=channels, action=actions, subscribed=subscribed)
def test_what_is_taken_from_the_rules_is_not_allowed_more(
    rules: ChannelRules, user: str, channel: str, action: Action, subscribed: set[str]
) -> None:
    before = decide(rules, user, channel, action, subscribed)
    for each, grant in rules.grants.items():
        for name in ("client", "subscriber", "anonymous"):
            less = replace(rules, grants={**rules.grants, each: replace(grant, **{name: False})})
            assert before == ALLOWED or decide(less, user, channel, action, subscribed) != ALLOWED
    assert decide(replace(rules, grants={}, user_limited=False), user, channel, action, subscribed) != ALLOWED


@given(rules=rules, channel=channels, action=actions, subscribed=subscribed)
def test_an_anonymous_client_may_never_more_than_any_user(
    rules: ChannelRules, channel: str, action: Action, subscribed: set[str]
) -> None:
    if decide(rules, "", channel, action, subscribed) == ALLOWED:
        assert decide(rules, "somebody", channel, action, subscribed) == ALLOWED


@given(rules=rules, user=users, channel=channels, action=actions, subscribed=subscribed)
def test_a_subscription_takes_nothing_away_and_gives_no_other(
    rules: ChannelRules, user: str, channel: str, action: Action, subscribed: set[str]
) -> None:
    without = decide(rules, user, channel, action, subscribed - {channel})
    within = decide(rules, user, channel, action, subscribed | {channel})
    assert without != ALLOWED or within == ALLOWED
    if action is Action.SUBSCRIBE:
        assert without == within


@given(
    user=users,
    held=st.sets(channels),
    granted=st.sets(channels),
    info=st.sampled_from([b"", b'{"a":1}']),
    expires_at=st.floats(0, 1e10) | st.just(math.inf),
    rules=rules,
    channel=channels,
    action=actions,
)
def test_a_client_has_the_same_permission_after_a_move_and_the_same_end(
    user: str,
    held: set[str],
    granted: set[str],
    info: bytes,
    expires_at: float,
    rules: ChannelRules,
    channel: str,
    action: Action,
) -> None:
    rights = {each: SubscriptionRights(info, expires_at) for each in held & granted}
    who = Credentials(user, info, b"", expires_at) if user else Credentials()
    sent = Session(
        version_of(who, rights), "c", user, b"", 1.0, 1.0, tuple(Held(each, 0, "", 0, {}) for each in held), (), (),
        who, rights,
    )  # fmt: skip
    come = decode_session(encode_session(sent))
    assert identity_problem(come, user, held) == ""
    assert (come.credentials, come.rights) == (who, rights)
    subscribed = {each.channel for each in come.held}
    assert decide(rules, come.credentials.user, channel, action, subscribed) == decide(
        rules, user, channel, action, held
    )
