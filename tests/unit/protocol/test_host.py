"""Names of hosts, and which of them are this machine."""

import pytest

from ringway.errors import ConfigError
from ringway.protocol.address import split_host
from ringway.protocol.host import host_at, host_known, is_loopback, read_hosts


@pytest.mark.parametrize(
    ("text", "split"),
    [
        ("a.example", ("a.example", "")),
        ("A.example:8000", ("a.example", "8000")),
        ("a.example:", ("a.example", "")),
        ("[::1]:80", ("::1", "80")),
        ("[::1]", ("::1", "")),
        ("x_y", ("x_y", "")),
        ("::1", None),
        ("[::1", None),
        ("[zz]", None),
        ("a b", None),
        ("a/b", None),
        ("u@h", None),
        ("a:b", None),
        ("a:123456", None),
        ("", None),
        ("h\xf6", None),
    ],
)
def test_hosts_are_split(text: str, split: tuple[str, str] | None) -> None:
    assert split_host(text) == split


@pytest.mark.parametrize(
    "name", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "localhost", "LOCALHOST.", "a.localhost"]
)
def test_what_means_this_machine(name: str) -> None:
    assert is_loopback(name)


@pytest.mark.parametrize(
    ("host", "known"),
    [
        ("localhost:8000", True),
        ("app.localhost", True),
        ("127.0.0.1:8000", True),
        ("[::1]:8000", True),
        ("192.0.2.1", True),  # nobody can point an address elsewhere
        ("", True),
        ("own.example:8000", True),
        ("OWN.example.", True),
        ("a.team.example", True),
        ("b.a.team.example:1", True),
        ("team.example", False),
        ("evil.example", False),
        ("evil", False),
        ("localhost.evil.example", False),
        ("127.0.0.1.nip.example", False),
        ("own.example.evil.example", False),
        ("evilteam.example", False),
        ("127.1", False),
        ("bad host", False),
    ],
)
def test_which_hosts_are_known_on_loopback(host: str, known: bool) -> None:
    assert host_known(host, read_hosts(["own.example", "*.team.example"])) is known


def test_any_host() -> None:
    assert host_known("evil.example", read_hosts(["*"]))


def test_names_that_are_none_are_refused() -> None:
    with pytest.raises(ConfigError) as caught:
        read_hosts(["fine.example", "https://a.example", "a.example:80", "a b", "a.*.example", ""])
    assert len(caught.value.problems) == 5


def test_the_host_of_a_url() -> None:
    assert host_at("wss://ring.example:8000/x") == ["ring.example"]
    assert host_at("/x") == []
    assert host_at("http://[") == []
