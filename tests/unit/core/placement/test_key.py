"""Sources of keys, in every form; and that no request breaks the reader."""

import base64
import json
from hashlib import blake2b
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringway.core.placement.key import KEY_BYTES_MAX, KeyReader, parse_key
from ringway.core.placement.key_source import KeySource
from ringway.core.steering import Steering
from ringway.errors import ConfigError
from ringway.protocol.directive import Directive


def token(payload: bytes, *, head: str = "e30", signature: str = "c2ln") -> str:
    return f"{head}.{base64.urlsafe_b64encode(payload).decode().rstrip('=')}.{signature}"


def subject(sub: Any) -> str:
    return token(json.dumps({"sub": sub, "exp": 1}).encode())


def bearer(value: str) -> KeySource:
    return KeySource(headers=[("authorization", f"Bearer {value}")])


REQUEST = KeySource(
    ip="10.1.2.3",
    port=40312,
    host="Chat.Example:8000",
    path="/rooms/7",
    query="room=lobby&x=1",
    headers=[("cookie", "theme=dark; sid=s3cr3t"), ("x-tenant", " acme ")],
)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("ip", b"10.1.2.3"),
        ("ip/24", b"10.1.2.0"),
        ("ip/8/56", b"10.0.0.0"),
        ("ip:port", b"10.1.2.3 40312"),
        ("host", b"chat.example"),
        ("path", b"/rooms/7"),
        ("query.room", b"lobby"),
        ("header.X-Tenant", b"acme"),
        ("cookie.sid", b"s3cr3t"),
        ("{host}{path}", b"chat.example/rooms/7"),
        (" {cookie.sid}|{ip/24} ", b"s3cr3t|10.1.2.0"),
        ("room-{query.room}", b"room-lobby"),
        ("query.key", None),
        ("cookie.SID", None),
        ("header.x-other", None),
        ("user", None),
        ("{host}{user}", None),
    ],
)
def test_every_form(text: str, key: bytes | None) -> None:
    assert parse_key(text).read(REQUEST) == key


@pytest.mark.parametrize(
    ("text", "ip", "key"),
    [
        ("ip", "2001:db8:1:2:3:4:5:6", b"2001:db8:1:2::"),
        ("ip/24", "2001:db8:1:2:3:4:5:6", b"2001:db8:1:2::"),
        ("ip/24/48", "2001:db8:1:2:3:4:5:6", b"2001:db8:1::"),
        ("ip:port", "2001:db8::1", b"2001:db8::1 9"),
        ("ip", "fe80::1:2:3:4%eth0", b"fe80::"),
        ("ip/24", "::ffff:10.2.3.4", b"10.2.3.0"),
        ("ip", "", None),
        ("ip", "unknown", None),
        ("ip:port", "not an address", None),
    ],
)
def test_addresses(text: str, ip: str, key: bytes | None) -> None:
    assert parse_key(text).read(KeySource(ip=ip, port=9)) == key


def test_a_port_that_is_not_known_is_no_part_of_a_key() -> None:
    assert parse_key("ip:port").read(KeySource(ip="10.0.0.1")) is None


@pytest.mark.parametrize(
    ("host", "key"),
    [("[2001:DB8::1]:80", b"[2001:db8::1]"), ("[::1]", b"[::1]"), ("a.b", b"a.b"), ("A.b:", b"a.b"), ("", None)],
)
def test_hosts_without_their_port(host: str, key: bytes | None) -> None:
    assert parse_key("host").read(KeySource(host=host)) == key


@pytest.mark.parametrize(
    ("query", "key"),
    [
        ("a=1&room=r%C3%A4um+7", "räum 7".encode()),
        ("room=first&room=second", b"first"),
        ("r%6Fom=x", b"x"),
        ("room=%FF", b"\xff"),
        ("room=%", b"%"),
        ("room=\xff", b"\xff"),
        ("room", None),
        ("room=", None),
        ("a&" * 63 + "room=64th", b"64th"),
        ("a&" * 64 + "room=65th", None),
        ("rooms=x", None),
    ],
)
def test_queries(query: str, key: bytes | None) -> None:
    assert parse_key("query.room").read(KeySource(query=query)) == key


@pytest.mark.parametrize(
    ("lines", "key"),
    [
        (["sid=1; sid=2"], b"1"),
        (["a=b", "sid=1"], b"1"),
        (['sid="quoted"'], b"quoted"),
        (["xsid=1"], None),
        (["sid"], None),
        (["sid=; a=b"], None),
        ([";;;=;sid = 1 ;"], b"1"),
    ],
)
def test_cookies(lines: list[str], key: bytes | None) -> None:
    assert parse_key("cookie.sid").read(KeySource(headers=[("cookie", line) for line in lines])) == key


@pytest.mark.parametrize(
    ("asked", "key"),
    [
        (bearer(subject("alice")), b"alice"),
        (KeySource(headers=[("authorization", f"bEARER   {subject('alice')}")]), b"alice"),
        (KeySource(query="a=b&token=" + subject("böb")), "böb".encode()),
        (KeySource(query="token=" + subject("q"), headers=[("authorization", f"Bearer {subject('h')}")]), b"h"),
        (KeySource(query="token=" + subject("q"), headers=[("authorization", "Basic YTpi")]), b"q"),
        (KeySource(headers=bearer(subject("forged")).headers, subject="verified"), b"verified"),
        (KeySource(headers=bearer(subject("forged")).headers, subject=""), None),
        (bearer(subject("")), None),
        (bearer(subject(7)), None),
        (bearer(subject("\ud800")), None),
        (bearer(token(b"[]")), None),
        (bearer(token(b"\xff")), None),
        (bearer(token(b"{}")), None),
        (bearer(token(b'{"x":' + b"[" * 10_000)), None),
        (bearer("a.b"), None),
        (bearer("a.!!!.c"), None),
        (bearer(""), None),
    ],
)
def test_users_by_their_tokens(asked: KeySource, key: bytes | None) -> None:
    assert parse_key("user").read(asked) == key


def test_a_key_that_is_too_long_is_none() -> None:
    spec = parse_key("{path}{path}")
    assert spec.read(KeySource(path="p" * (KEY_BYTES_MAX // 2))) == b"p" * KEY_BYTES_MAX
    assert spec.read(KeySource(path="p" * (KEY_BYTES_MAX // 2 + 1))) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "1 to 256 characters"),
        ("x" * 257, "1 to 256 characters"),
        ("cookies.sid", "did you mean 'cookie.sid'"),
        ("Path", "did you mean 'path'"),
        ("room", "give ip, ip/24"),
        ("cookie.", "must name its cookie"),
        ("query.a=b", "must name its query"),
        ("header." + "x" * 65, "must name its header"),
        ("header.X-Forwarded-For", "give ip, and name your proxies in trusted_proxies"),
        ("header.x-forwarded-host", "give host, and"),
        ("ip/0", "prefix of IPv4"),
        ("ip/33", "prefix of IPv4"),
        ("ip/24/129", "prefix of IPv4"),
        ("ip/24/56/8", "prefix of IPv4"),
        ("ip/\u00b2", "prefix of IPv4"),
        ("{host", "not closed"),
        ("host}", "not opened"),
        ("{host}}", "not opened"),
        ("{{host}", "not closed"),
        ("{}", "unknown"),
        ("{host},{path}", "without commas"),
        ("{host}\n{path}", "printable"),
        ("{host}ä", "printable"),
        ("{host}" * 9, "8 are enough"),
    ],
)
def test_what_is_no_key_is_refused_with_what_would_be(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match="key") as caught:
        parse_key(text)
    assert said in str(caught.value)


SPECS = [
    parse_key(text)
    for text in (
        "ip", "ip/7/3", "ip:port", "host", "path", "query.room", "header.x-tenant", "cookie.sid", "user",
        "{host}|{path}|{query.room}|{header.x-tenant}|{cookie.sid}|{user}",
    )
]  # fmt: skip

HOSTILE = st.text() | st.text(alphabet='=;&%+.[]":/,{}- \udc80\xffaroomsid1', max_size=60)


@given(
    ip=HOSTILE | st.ip_addresses().map(str),
    port=st.integers(0, 65535),
    host=HOSTILE,
    path=HOSTILE,
    query=HOSTILE | st.binary().map(lambda raw: "token=" + token(raw)) | HOSTILE.map("room={}".format),
    headers=st.lists(
        st.tuples(st.sampled_from(["cookie", "authorization", "x-tenant", "host"]), HOSTILE)
        | st.tuples(st.just("authorization"), st.binary().map(lambda raw: "Bearer " + token(raw))),
        max_size=4,
    ),
)
def test_reading_any_request_gives_a_key_or_none(**request: Any) -> None:
    asked = KeySource(**request)
    keys = KeyReader("{host}|{path}", b"s")
    for spec in SPECS:
        key = spec.read(asked)
        assert key is None or 0 < len(key) <= KEY_BYTES_MAX
        assert key is None or len(keys.shown(key)) == 16


@given(st.text(max_size=80) | st.text(alphabet="{}ip/quersathod.:0123456789,", max_size=40))
def test_any_text_is_a_key_or_refused(text: str) -> None:
    try:
        spec = parse_key(text)
    except ConfigError:
        return
    spec.read(REQUEST)


def test_what_others_see_is_a_digest_that_all_gateways_of_a_secret_share() -> None:
    first, second = (KeyReader("cookie.sid", b"secret").read(REQUEST) for _ in range(2))
    assert first == second
    assert first is not None
    assert len(bytes.fromhex(first.decode())) == 8
    assert KeyReader("cookie.sid", b"other").read(REQUEST) != first
    assert KeyReader("cookie.sid", b"secret").shown(b"s3cr3t") == first
    assert KeyReader("cookie.none", b"secret").read(REQUEST) is None


def test_the_digest_is_the_one_of_the_protocol() -> None:
    """PROTOCOL.md P-3.3.1."""
    secret = blake2b(b"secret", digest_size=32).digest()
    digest = blake2b(b"s3cr3t", digest_size=8, key=secret, person=b"ringway key").hexdigest()
    assert KeyReader("cookie.sid", b"secret").read(REQUEST) == digest.encode()


def test_only_the_clients_own_key_is_shown_as_it_came() -> None:
    assert KeyReader("query.key", b"secret").read(KeySource(query="key=lobby")) == b"lobby"
    assert KeyReader("{query.key}", b"secret").read(KeySource(query="key=lobby")) not in (b"lobby", None)


def test_keys_follow_the_policy_in_force() -> None:
    steering = Steering("two-choices", b"")
    assert steering.keys.plain
    steering.follow(Directive(version=1, policy="rendezvous:key=cookie.sid"))
    assert steering.keys.read(REQUEST) == KeyReader("cookie.sid", b"").read(REQUEST)
    with pytest.raises(ConfigError, match=r"did you mean 'cookie\.sid'"):
        steering.follow(Directive(version=2, policy="rendezvous:key=cookies.sid"))
    assert not steering.keys.plain
