import pytest

from ringway.engine.nats.url import NatsUrl, read_url
from ringway.errors import ConfigError


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("nats://a", NatsUrl(("nats://a:4222",), (("a", 4222),))),
        ("nats://a:5222", NatsUrl(("nats://a:5222",), (("a", 5222),))),
        ("tls://a/", NatsUrl(("tls://a:4222",), (("a", 4222),))),
        (
            "nats://u:p%40ss@a:1,b:2",
            NatsUrl(("nats://a:1", "nats://b:2"), (("a", 1), ("b", 2)), "u", "p@ss"),
        ),
        (
            "nats://u:p@a,nats://u:p@b",
            NatsUrl(("nats://a:4222", "nats://b:4222"), (("a", 4222), ("b", 4222)), "u", "p"),
        ),
        ("nats://t%3Aken@a", NatsUrl(("nats://a:4222",), (("a", 4222),), token="t:ken")),
        ("nats://[::1]:7", NatsUrl(("nats://[::1]:7",), (("::1", 7),))),
        ("NATS://a:1", NatsUrl(("nats://a:1",), (("a", 1),))),
        ("nats://u:p@a?", NatsUrl(("nats://a:4222",), (("a", 4222),), "u", "p")),
        ("nats://u:p/w?x#y@z@a", NatsUrl(("nats://a:4222",), (("a", 4222),), "u", "p/w?x#y@z")),
        ("nats://u@a?password_file=/p", NatsUrl(("nats://a:4222",), (("a", 4222),), "u", password_file="/p")),
        ("nats://a?user=u&password=%26%2B+", NatsUrl(("nats://a:4222",), (("a", 4222),), "u", "&++")),
        ("nats://a?creds_file=/c", NatsUrl(("nats://a:4222",), (("a", 4222),), creds_file="/c")),
        ("nats://a,b?nkey=SU1", NatsUrl(("nats://a:4222", "nats://b:4222"), (("a", 4222), ("b", 4222)), nkey="SU1")),
        (
            "tls://a?ca_file=/ca&cert_file=/c&key_file=/k&tls_first=true&nkey_file=/n",
            NatsUrl(
                ("tls://a:4222",),
                (("a", 4222),),
                nkey_file="/n",
                ca_file="/ca",
                cert_file="/c",
                key_file="/k",
                tls_first=True,
            ),
        ),
    ],
)
def test_reads_servers_and_credentials(url: str, expected: NatsUrl) -> None:
    assert read_url(url) == expected


@pytest.mark.parametrize(
    "url",
    [
        "",
        "a:5222",
        "nats://",
        "redis://a",
        "nats://a:b",
        "nats://a:0",
        "nats://a:70000",
        "nats://a,",
        "nats://a/b",
        "nats://[::1",
        "nats://::1:4222",
        "nats://a:",
        "nats://a:0,b:4222",
        "nats://b:4222,a:-1",
        "nats://a b",
        "nats://300.1.1.1:4222",
    ],
)
def test_a_wrong_url_is_a_config_error(url: str) -> None:
    with pytest.raises(ConfigError, match="give nats://"):
        read_url(url)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("nats://a?tls_first=true", "tls://"),
        ("nats://a?ca_file=/c", "tls://"),
        ("tls://a?tls_first=maybe", "neither true nor false"),
        ("nats://a?colour=red", "option 'colour'"),
        ("nats://u:p@a?token=t", "password and token"),
        ("nats://a?creds_file=/c&nkey_file=/n", "creds_file and nkey_file"),
        ("nats://u:p@a?password=q", "before the host and as an option"),
        ("nats://a?password=q", "without a user"),
        ("nats://a?user=q", "without a password"),
        ("nats://a:1,u:p@b:2", "%2C"),
        ("nats://u:p@a,v:q@b", "different credentials for its hosts; give nats://"),
    ],
    ids=str,
)
def test_what_does_not_fit_together_is_named(url: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_url(url)
    assert says in str(caught.value)


@pytest.mark.parametrize("url", ["nats://user:secret@a:b", "redis://user:secret@a", "nats://user:secret@"])
def test_no_message_shows_the_password(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_url(url)
    assert "secret" not in str(caught.value)


def test_as_text_it_shows_no_credentials() -> None:
    assert str(read_url("nats://u:secret@a:1,b:2")) == "nats://a:1,nats://b:2"
