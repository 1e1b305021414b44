import pytest

from ringway.engine.nats_url import NatsUrl, read_url
from ringway.errors import ConfigError


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("nats://a", NatsUrl(("nats://a:4222",), (("a", 4222),))),
        ("a:5222", NatsUrl(("nats://a:5222",), (("a", 5222),))),
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
    ],
)
def test_reads_servers_and_credentials(url: str, expected: NatsUrl) -> None:
    assert read_url(url) == expected


@pytest.mark.parametrize(
    "url",
    [
        "",
        "nats://",
        "redis://a",
        "nats://a:b",
        "nats://a:0",
        "nats://a:70000",
        "nats://a,",
        "nats://a/b",
        "nats://[::1",
    ],
)
def test_a_wrong_url_is_a_config_error(url: str) -> None:
    with pytest.raises(ConfigError, match="give nats://"):
        read_url(url)


@pytest.mark.parametrize("url", ["nats://user:secret@a:b", "redis://user:secret@a", "nats://user:secret@"])
def test_no_message_shows_the_password(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_url(url)
    assert "secret" not in str(caught.value)


def test_as_text_it_shows_no_credentials() -> None:
    assert str(read_url("nats://u:secret@a:1,b:2")) == "nats://a:1,nats://b:2"
