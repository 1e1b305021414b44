"""Parameters of a query that are the gateway's."""

import pytest

from ringway.core.placement.key_source import QUERY_FIELDS_MAX
from ringway.gateway.placement.query import Query


@pytest.mark.parametrize(
    ("query", "key", "rest"),
    [
        ("", None, ""),
        ("a=1&b=%2F", None, "a=1&b=%2F"),
        ("key=room&a=1", b"room", "a=1"),
        ("a=1&key=r%20o+o&b", b"r o o", "a=1&b"),
        ("%6bey=x", b"x", ""),
        ("key=first&key=second", b"first", ""),
        ("key=", None, ""),
        ("ticket=t&node=n&a", None, "a"),
    ],
)
def test_ours_are_taken_out(query: str, key: bytes | None, rest: str) -> None:
    read = Query(query)
    assert (read.key, read.rest) == (key, rest)


def test_what_the_node_is_asked() -> None:
    read = Query("a=1&node=n1&ticket=forged&tick%65t=again&key=%C3%A4%26%FF")
    assert (read.node, read.ticket) == ("n1", "forged")
    assert read.key == b"\xc3\xa4&\xff"
    assert read.for_node(read.key, "T") == "a=1&key=%C3%A4%26%FF&ticket=T&moves=1"
    assert Query("").for_node(None, "T") == "ticket=T&moves=1"
    assert Query("a").for_node(None, "") == "a&moves=1"
    assert Query("a&key=of-the-client").for_node(b"derived", "T") == "a&key=derived&ticket=T&moves=1"
    assert Query("a").for_node(b"k", "T", resume=True) == "a&key=k&ticket=T&resume=1&moves=1"


def test_a_client_cannot_say_for_the_gateway_that_it_follows_or_resumes() -> None:
    read = Query("moves=1&a=1&resume=1&re%73ume=1&pin=1&ticket=T&node=n1")
    assert (read.node, read.ticket, read.rest) == ("n1", "T", "a=1&pin=1")
    assert read.for_node(None, read.ticket) == "a=1&pin=1&ticket=T&moves=1"


def test_a_crowd_of_parameters_is_passed_on_unread() -> None:
    crowd = "&".join(f"%61{index}=1" for index in range(QUERY_FIELDS_MAX))
    read = Query(f"{crowd}&key=late&ticket=late")
    assert (read.key, read.ticket) == (None, "")
    assert read.rest == f"{crowd}&key=late&ticket=late"
    assert Query(crowd[crowd.index("&") + 1 :] + "&key=last").key == b"last"
