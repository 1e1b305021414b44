"""The form of a session on its way."""

import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringway.core.credentials import ANONYMOUS, Credentials
from ringway.core.session import (
    PLAIN,
    VERSION,
    Held,
    Session,
    decode_session,
    encode_session,
    identity_problem,
    version_of,
)
from ringway.core.subscription_rights import SubscriptionRights
from ringway.errors import ProtocolError

helds = st.builds(
    Held,
    channel=st.text(min_size=1, max_size=20),
    flags=st.integers(0, 255),
    epoch=st.text(max_size=8),
    offset=st.integers(0, 2**63),
    heard=st.dictionaries(st.text("0123456789abcdef", min_size=8, max_size=8), st.integers(0, 2**63), max_size=3),
)
frames = st.lists(st.binary(max_size=40), max_size=3).map(tuple)
infos = st.sampled_from([b"", b"1", b'{"name":"Carol"}'])
times = st.floats(0, 1e10) | st.just(math.inf)
credentials = st.builds(
    Credentials, st.text(max_size=10), infos, infos, times, st.floats(0, 1e10), st.text(max_size=5), st.floats(0, 1e10)
)
rights = st.builds(SubscriptionRights, infos, times, st.booleans())
plain_sessions = st.builds(
    Session,
    version=st.just(PLAIN),
    client=st.text(max_size=36),
    user=st.just(""),
    key=st.binary(max_size=20),
    ping_in_s=st.floats(0, 3600),
    ends_in_s=st.floats(0, 1e6),
    held=st.lists(helds, max_size=4).map(tuple),
    replies=frames,
    commands=frames,
)


@st.composite
def sessions_of_users(draw: st.DrawFn) -> Session:
    session = draw(plain_sessions)
    who = draw(credentials)
    held = [each.channel for each in session.held]
    given_rights = draw(st.dictionaries(st.sampled_from(held), rights)) if held else {}
    version = version_of(who, given_rights)
    return msgspec.structs.replace(session, version=version, user=who.user, credentials=who, rights=given_rights)


sessions = plain_sessions | sessions_of_users()


@given(session=sessions)
def test_it_comes_out_as_it_went_in(session: Session) -> None:
    assert decode_session(encode_session(session)) == session


@given(session=sessions, end=st.integers(0, 200))
def test_a_part_of_it_is_refused(session: Session, end: int) -> None:
    raw = encode_session(session)
    if end < len(raw):
        with pytest.raises(ProtocolError):
            decode_session(raw[:end])


@given(raw=st.binary(max_size=60))
def test_anything_else_is_refused_and_nothing_worse(raw: bytes) -> None:
    with pytest.raises(ProtocolError):
        decode_session(raw)


def test_another_version_is_named() -> None:
    raw = msgspec.msgpack.encode([VERSION + 1, "whatever a later version holds", {}])
    with pytest.raises(ProtocolError, match=f"version {VERSION + 1}, this node knows {PLAIN} to {VERSION}"):
        decode_session(raw)


@given(session=sessions)
def test_one_without_credentials_and_rights_is_as_members_of_the_last_release_read_it(session: Session) -> None:
    parts = msgspec.msgpack.decode(encode_session(session))
    is_plain = session.credentials == ANONYMOUS and not session.rights
    assert (parts[0], len(parts)) == ((1, 9) if is_plain else (2, 11))


@given(session=sessions)
def test_it_is_the_one_that_was_prepared(session: Session) -> None:
    channels = {held.channel for held in session.held}
    assert identity_problem(session, session.user, channels) == ""
    assert "the user" in identity_problem(session, session.user + "x", channels)
    if channels:
        assert "was not prepared" in identity_problem(session, session.user, channels - {min(channels)})
    more = msgspec.structs.replace(session, rights={**session.rights, "\x00": SubscriptionRights()})
    assert "not subscribed" in identity_problem(more, session.user, channels)


@given(session=plain_sessions, user=st.text(min_size=1, max_size=5))
def test_a_user_without_credentials_is_nobody(session: Session, user: str) -> None:
    named = decode_session(encode_session(msgspec.structs.replace(session, user=user)))
    channels = [held.channel for held in session.held]
    assert "the user" in identity_problem(named, user, channels)
    assert "the user" in identity_problem(named, "", channels)


@pytest.mark.parametrize(
    "wrong",
    [
        {"credentials": Credentials(info=b"{}{}")},
        {"credentials": Credentials(user="x" * 1025), "user": "x" * 1025},
        {"rights": {"a": SubscriptionRights(b"\n")}},
        {"rights": {"a": SubscriptionRights(expires_at=math.nan)}},
    ],
    ids=["info", "user", "info of a subscription", "end of a subscription"],
)
def test_what_would_harm_others_is_refused(wrong: dict[str, object]) -> None:
    session = Session(VERSION, "c", "", b"", 1.0, 1.0, (Held("a", 0, "", 0, {}),), (), ())
    with pytest.raises(ProtocolError, match="cannot be read"):
        decode_session(encode_session(msgspec.structs.replace(session, **wrong)))
