"""JSON on one line: any value, and nothing else."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from ringway.protocol.json_line import is_json_line, json_line

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@given(value=values, indent=st.integers(-1, 4))
def test_any_json_becomes_one_line_of_the_same_value(value: object, indent: int) -> None:
    line = json_line(msgspec.json.format(msgspec.json.encode(value), indent=indent))
    assert b"\n" not in line
    assert is_json_line(line)
    assert (msgspec.json.decode(line) if line else None) == value


@given(raw=st.binary(max_size=30))
def test_anything_else_is_no_line(raw: bytes) -> None:
    line = json_line(raw)
    assert is_json_line(line)
    assert b"\n" not in line
