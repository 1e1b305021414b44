"""Which pages may connect."""

import pytest

from ringway.errors import ConfigError
from ringway.protocol.origin import origins_at, read_origins

HOST = "app.example:8443"


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        (None, True),
        ("https://app.example:8443", True),
        ("http://app.example:8443", False),  # another scheme is another origin
        ("HTTPS://APP.example:8443", True),
        ("https://partner.example", True),
        ("https://partner.example:443", False),  # an Origin header never writes the default port
        ("https://app.example", False),
        ("https://app.example:8444", False),
        ("null", False),
        ("", False),
        ("https://", False),
        ("https://app.example:8443.evil.example", False),
        ("https://evil.example/app.example:8443", False),
        ("https://app.example:8443/", False),
        ("https://user@app.example:8443", False),
        ("https://xn--pp-eka.example:8443", False),
        ("ws://app.example:8443", False),
        ("file://app.example:8443", False),
        ("https://notpartner.example", False),
        ("https://partner.example.evil.example", False),
    ],
)
def test_origins(origin: str | None, allowed: bool) -> None:
    assert read_origins(["https://partner.example"]).allows(origin, "https", HOST) is allowed


@pytest.mark.parametrize(
    ("origin", "scheme", "host", "same"),
    [
        ("https://app.example", "https", "app.example:443", True),
        ("http://app.example", "http", "app.example", True),
        ("http://app.example", "http", "app.example:80", True),
        ("https://app.example", "http", "app.example", False),
        ("https://app.example", "http", "app.example:443", False),
        ("http://app.example", "https", "app.example", False),
        ("https://app.example", "https", "app.example:80", False),
        ("http://[::1]:8000", "http", "[::1]:8000", True),
        ("http://[::1]:8000", "http", "[0:0::1]:8000", True),
        ("http://app.example", "http", "", False),
        ("http://app.example", "http", "app.example/", False),
    ],
)
def test_the_own_origin_is_scheme_host_and_port(origin: str, scheme: str, host: str, same: bool) -> None:
    assert read_origins(()).allows(origin, scheme, host) is same


@pytest.mark.parametrize(
    ("entry", "origin", "listed"),
    [
        ("*", "https://evil.example", True),
        ("*", "null", True),
        ("null", "null", True),
        ("NULL", "null", True),
        ("https://app.example", "null", False),
        ("file://", "file://", True),
        ("capacitor://localhost", "capacitor://localhost", True),
        ("ionic://localhost", "ionic://localhost", True),
        ("tauri://localhost", "tauri://localhost", True),
        ("http://tauri.localhost", "http://tauri.localhost", True),
        ("app://obsidian.md", "app://obsidian.md", True),
        ("chrome-extension://abcdefghijklmnop", "chrome-extension://abcdefghijklmnop", True),
        ("chrome-extension://abcdefghijklmnop", "chrome-extension://other", False),
        ("moz-extension://0f0e-11", "moz-extension://0f0e-11", True),
        ("capacitor://localhost", "http://localhost", False),
        ("https://App.Example/", "https://app.example", True),
        ("https://app.example:443", "https://app.example", True),
        ("http://app.example:080", "http://app.example", True),
        ("http://app.example:443", "http://app.example:443", True),
        ("http://[::1]:3000", "http://[::1]:3000", True),
        ("http://[0:0:0::1]:3000", "http://[::1]:3000", True),
        ("https://*.app.example", "https://a.app.example", True),
        ("https://*.app.example", "https://a.b.app.example", True),
        ("https://*.app.example", "https://app.example", False),
        ("https://*.app.example", "https://evilapp.example", False),
        ("https://*.app.example", "http://a.app.example", False),
        ("https://*.app.example", "https://a.app.example:8443", False),
        ("https://*.app.example", "https://a.app.example.evil.example", False),
        ("https://*.app.example", "https://evil.example/a.app.example", False),
        ("https://*.app.example", "https://evil.example:1@a.app.example", False),
        ("https://*.app.example", "https://.app.example", False),
        ("https://*.app.example:8443", "https://a.app.example:8443", True),
        ("http://localhost:*", "http://localhost:5173", True),
        ("http://localhost:*", "http://localhost", True),
        ("http://localhost:*", "http://localhost:5173.evil.example", False),
        ("https://*.app.example:*", "https://x.app.example:99", True),
    ],
)
def test_what_an_entry_lists(entry: str, origin: str, listed: bool) -> None:
    assert read_origins([entry]).lists(origin) is listed


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ("", "scheme and a host"),
        ("app.example", "write https://app.example"),
        ("*.app.example", "scheme and a host"),
        ("//app.example", "scheme and a host"),
        ("https:/app.example", "scheme and a host"),
        ("https://", "https://app.example:8443"),
        ("https://app.example/app", "no path"),
        ("https://app.example?x", "no path"),
        ("https://user@app.example", "user"),
        ("wss://app.example", "write https://app.example"),
        ("ws://app.example:1", "write http://app.example:1"),
        ("https://a.example,https://b.example", "by itself"),
        ("https://a.example https://b.example", "by itself"),
        ("https://m\xfcnchen.example", "xn--"),
        ("https://app.example:99999", "8443"),
        ("https://app.example:x", "8443"),
        ("https://[::1", "8443"),
        ("https://a.*.example", "all hosts below"),
        ("https://app*.example", "all hosts below"),
        ("https://*", "all hosts below"),
        ("http*://app.example", "scheme and a host"),
        ("http://localhost:80*", "all hosts below"),
    ],
)
def test_what_could_never_match_is_refused(entry: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_origins(["https://fine.example", entry])
    (problem,) = caught.value.problems
    assert repr(entry) in problem
    assert "allowed_origins" in problem
    assert says in problem


def test_the_origins_of_a_url() -> None:
    assert origins_at("wss://ring.example/x") == ["https://ring.example"]
    assert origins_at("http://127.0.0.1:8000") == ["http://127.0.0.1:8000", "http://localhost:8000"]
    assert origins_at("ws://u:p@h:80/") == ["http://h"]
    assert origins_at("") == []
    assert origins_at("ftp://h") == []
    assert origins_at("http://[") == []
    assert origins_at("ws://[::1") == []
