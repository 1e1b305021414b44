from pathlib import Path

import pytest

from ringway.engine.redis.url import Kind, Login, RedisUrl, read_url
from ringway.errors import ConfigError


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://a", RedisUrl(kind=Kind.SINGLE, addresses=(("a", 6379),))),
        ("redis://a:7/", RedisUrl(kind=Kind.SINGLE, addresses=(("a", 7),))),
        ("redis://[::1]:7/3", RedisUrl(kind=Kind.SINGLE, addresses=(("::1", 7),), database=3)),
        ("redis://:p%40ss@a", RedisUrl(kind=Kind.SINGLE, addresses=(("a", 6379),), login=Login("", "p@ss"))),
        ("redis://u:p?q/r@a", RedisUrl(kind=Kind.SINGLE, addresses=(("a", 6379),), login=Login("u", "p?q/r"))),
        ("redis://secret@a", RedisUrl(kind=Kind.SINGLE, addresses=(("a", 6379),), login=Login("", "secret"))),
        (
            "redis://u:p@a?prefix=x:",
            RedisUrl(kind=Kind.SINGLE, addresses=(("a", 6379),), login=Login("u", "p"), prefix="x:"),
        ),
        (
            "rediss://a?ca_file=/ca&cert_file=/c&key_file=/k",
            RedisUrl(
                kind=Kind.SINGLE, addresses=(("a", 6379),), tls=True, ca_file="/ca", cert_file="/c", key_file="/k"
            ),
        ),
        (
            "redis+sentinel://u:p@a,b:1/my%20master?sentinel_user=s&sentinel_password=t",
            RedisUrl(
                kind=Kind.SENTINEL,
                addresses=(("a", 26379), ("b", 1)),
                login=Login("u", "p"),
                sentinel_login=Login("s", "t"),
                master="my master",
            ),
        ),
        ("rediss+cluster://a,b:1", RedisUrl(kind=Kind.CLUSTER, addresses=(("a", 6379), ("b", 1)), tls=True)),
    ],
)
def test_reads_servers_and_credentials(url: str, expected: RedisUrl) -> None:
    assert read_url(url) == expected


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("nats://a", "begins with 'nats'"),
        ("redis+ring://a", "begins with 'redis+ring'"),
        ("redis://", "not host:port"),
        ("redis://a:b", "not host:port"),
        ("redis://a:0", "not host:port"),
        ("redis://a:70000", "not host:port"),
        ("redis://[::1", "not host:port"),
        ("redis://::1:6379", "must stand in brackets"),
        ("redis://a:", "a port is 1 to 65535"),
        ("redis+cluster://a:1,b:0", "host 2 in the engine URL is not host:port (a port is 1 to 65535)"),
        ("redis+sentinel://a:65536/m", "a port is 1 to 65535"),
        ("redis://a b", "a host has letters, digits"),
        ("redis://a,b", "redis+cluster://"),
        ("redis://a/x", "a number from 0 to 1023"),
        ("redis://a/1024", "a number from 0 to 1023"),
        ("redis+cluster://a/1", "only database 0"),
        ("redis+cluster://u:secret@a,v:secret@b", "more than one host"),
        ("redis+sentinel://a", "which server the sentinels watch"),
        ("redis://a?prefix=", "prefix ''"),
        ("redis://a?prefix={x}", "prefix '{x}'"),
        ("redis://a?colour=red", "option 'colour'"),
        ("redis://a?ca_file=/ca", "write rediss for redis"),
    ],
)
def test_says_what_is_wrong_and_no_password(url: str, says: str) -> None:
    with pytest.raises(ConfigError, match="engine URL") as caught:
        read_url(url)
    assert says in str(caught.value)
    assert "secret" not in str(caught.value)


def test_as_text_it_holds_no_credentials() -> None:
    assert str(read_url("rediss+sentinel://u:secret@a:1,[::2]/m?sentinel_password=secret")) == (
        "rediss+sentinel://a:1,[::2]:26379/m"
    )


def test_a_certificate_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"missing\.pem"):
        read_url(f"rediss://a?ca_file={tmp_path}/missing.pem").tls_files()
    assert read_url("redis://a").tls_files() is None
