"""URLs of engines: which are accepted, and that no part of a password is ever shown."""

import traceback
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringway.engine.nats import url as nats_url
from ringway.engine.redis import url as redis_url
from ringway.engine.url import HIDDEN, has_login, mask, split_url, with_options
from ringway.errors import ConfigError

ODD = [
    ",",
    "@",
    "#",
    "?",
    "/",
    "%",
    ":",
    "[",
    "]",
    " ",
    "\t",
    "\n",
    "&",
    "=",
    "\\",
    "'",
    "ü",
    "密",
    "://",
    "?a=",
    ",b@c",
]
FORMS = [
    "nats://{}@host:4222",
    "nats://{}@a:1,b:2",
    "nats://{0}@a:1,nats://{0}@b:2",
    "tls://{}@host?ca_file=/x",
    "redis://{}@host:6379/1",
    "rediss://{}@host?prefix=x",
    "redis+sentinel://{}@a:1,b:2/mymaster",
    "redis+cluster://{}@a:1,b:2",
]
BROKEN = ["{}@host", "{}", "nats:{}@host", "nats:/{}@host", "nats//{}@host", "://{}@host"]


def read(url: str) -> nats_url.NatsUrl | redis_url.RedisUrl:
    """Read the URL like the engine of its scheme."""
    return redis_url.read_url(url) if url.startswith("redis") else nats_url.read_url(url)


def password_of(url: nats_url.NatsUrl | redis_url.RedisUrl) -> str | None:
    return url.password if isinstance(url, nats_url.NatsUrl) else url.login.password


def told_of(url: str) -> str:
    """Return all text about `url`: its shown form, and the message and traceback of its error."""
    said = mask(url)
    try:
        found = read(url)
    except ConfigError as error:
        said += "".join(traceback.format_exception(error)) + repr(error)
    else:
        said += f"{found} {found!r}"
    return said


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("sign", ODD, ids=ascii)
def test_a_password_is_read_as_it_is_or_refused_with_the_way_to_write_it(form: str, sign: str) -> None:
    password = f"Xsecret{sign}Ysecret"
    url = form.format(f"user:{password}")
    assert "secret" not in told_of(url)
    try:
        found = read(url)
    except ConfigError as error:
        assert "%2C" in str(error)  # noqa: PT017 - either is right, and each has its rule
    else:
        assert password_of(found) == password


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("sign", ODD, ids=ascii)
def test_an_encoded_password_is_always_read(form: str, sign: str) -> None:
    password = f"Xsecret{sign}%Ysecret"
    url = form.format(f"user:{quote(password, safe='')}")
    assert password_of(read(url)) == password
    assert "secret" not in told_of(url)
    assert HIDDEN not in mask(url)


@pytest.mark.parametrize("form", BROKEN)
@pytest.mark.parametrize("sign", ODD, ids=ascii)
def test_a_url_that_is_none_shows_nothing_either(form: str, sign: str) -> None:
    assert "secret" not in told_of(form.format(f"user:Xsecret{sign}Ysecret"))


@pytest.mark.parametrize("sign", [sign for sign in ODD if "@" not in sign], ids=ascii)
@pytest.mark.parametrize("scheme", ["nats", "redis", "redis+cluster"])
def test_nor_does_one_whose_host_was_forgotten(scheme: str, sign: str) -> None:
    assert "secret" not in told_of(f"{scheme}://user:Xsecret{sign}Ysecret")


@given(
    form=st.sampled_from(FORMS),
    signs=st.text(st.sampled_from("".join(ODD)), max_size=12),
    more=st.text(max_size=6),
)
def test_whatever_a_password_is_made_of_nothing_of_it_is_told(form: str, signs: str, more: str) -> None:
    url = form.format(f"user:Xsecret{signs}Ysecret{more}Zsecret")
    assert "secret" not in told_of(url)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("nats://u:p@a:1,b:2", "nats://a:1,b:2"),
        ("nats://a:1,b:2", "nats://a:1,b:2"),
        ("tls://[::1]:1,tls://b", "tls://[::1]:1,b"),
        ("nats://a:1,u:p@b:2", "nats://b:2"),  # a:1 could be the beginning of a login
        ("nats://token@a", "nats://a"),
        ("redis+sentinel://u:p@a:1,b:2/m?sentinel_password=p", "redis+sentinel://a:1,b:2/m"),
        ("redis+sentinel://a/m?sentinel_password=x,y", "redis+sentinel://a/m"),
        ("redis+sentinel://a/m?sentinel_password=x@y", "redis+sentinel://(hidden)"),
        ("redis://u:p?q@a:1?prefix=x", "redis://a:1"),
        ("redis://u:12/34secret", "redis://(hidden)"),
        ("redis://a/3", "redis://a/3"),
        ("mqtt://user:hunter2@host:6379?password=hunter2", "mqtt://host:6379"),
        ("memory://", "memory://"),
        ("u:p@a", "(hidden)"),
        ("", ""),
    ],
    ids=str,
)
def test_what_is_shown(url: str, shown: str) -> None:
    assert mask(url) == shown


def test_options_are_added_where_they_are_missing_and_read_again() -> None:
    added = with_options("nats://u:p@a,b?ca_file=/x", {"ca_file": "/y", "cert_file": "/a b&c=ü"})
    assert added == "nats://u:p@a,b?ca_file=/x&cert_file=/a%20b%26c%3D%C3%BC"
    parts = split_url(added, "")
    assert parts.hosts == ("a", "b")
    assert parts.options == {"ca_file": "/x", "cert_file": "/a b&c=ü"}
    assert with_options("nats://a", {}) == "nats://a"


def test_who_we_are_may_stand_before_a_host_or_in_an_option() -> None:
    assert has_login("nats://u:p@a", ())
    assert has_login("nats://a?nkey=SU", ("nkey",))
    assert not has_login("nats://a?ca_file=/x", ("nkey",))


@pytest.mark.parametrize("url", ["redis://:%ff@h", "redis://h?password=%ff", "nats://u:%ff@h", "nats://h?token=%c3"])
def test_bytes_that_are_no_utf_8_are_refused(url: str) -> None:
    read = nats_url.read_url if url.startswith("nats") else redis_url.read_url
    with pytest.raises(ConfigError, match="no UTF-8") as caught:
        read(url)
    assert "%" not in str(caught.value)
