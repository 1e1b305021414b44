"""The form of a session on its way."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringway.core.session import VERSION, Held, Session, decode_session, encode_session
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
sessions = st.builds(
    Session,
    version=st.just(VERSION),
    client=st.text(max_size=36),
    user=st.text(max_size=10),
    key=st.binary(max_size=20),
    ping_in_s=st.floats(0, 3600),
    ends_in_s=st.floats(0, 1e6),
    held=st.lists(helds, max_size=4).map(tuple),
    replies=frames,
    commands=frames,
)


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
    with pytest.raises(ProtocolError, match=f"version {VERSION + 1}, this node knows {VERSION}"):
        decode_session(raw)
