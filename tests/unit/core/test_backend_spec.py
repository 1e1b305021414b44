"""Static backends as `--backend` describes them, and the problems that it names."""

import pytest

from ringway.core.backend_spec import read_backend, read_backends
from ringway.errors import ConfigError
from ringway.protocol.backend import OnMove
from ringway.protocol.name import check_name
from ringway.protocol.server_address import ServerAddress, read_address


def test_a_plain_backend() -> None:
    backend = read_backend("ws://10.0.0.7:9000")
    assert backend.address == ServerAddress("10.0.0.7", 9000, False, "")
    assert (backend.name, backend.weight, backend.check) == ("10.0.0.7-9000", 1.0, "")
    assert backend.incarnation == read_backend("ws://10.0.0.7:9000,weight=2").incarnation
    assert backend.incarnation != read_backend("ws://10.0.0.7:9001").incarnation


def test_all_options() -> None:
    backend = read_backend("wss://chat.example/app/,weight=2.5,name=blue,check=/healthz?deep=1,on-move=reopen")
    assert backend.address == ServerAddress("chat.example", 443, True, "/app")
    assert (backend.name, backend.weight, backend.check) == ("blue", 2.5, "/healthz?deep=1")
    assert backend.on_move is OnMove.REOPEN


def test_what_happens_at_a_move_depends_on_the_websocket_unless_told_otherwise() -> None:
    assert read_backend("ws://h:1").on_move is OnMove.AUTO
    assert read_backend("ws://h:1,on-move=close").on_move is OnMove.CLOSE


@pytest.mark.parametrize(
    ("options", "checked_as", "host"),
    [
        ("", "10.0.0.1:9000", ""),
        (",host=app.example", "app.example", "app.example"),
        (",check-host=app.example:8443", "app.example:8443", ""),
        (",host=a.example,check-host=b.example", "b.example", "a.example"),
    ],
    ids=["neither", "host", "check-host", "both"],
)
def test_what_a_backend_is_addressed_as(options: str, checked_as: str, host: str) -> None:
    backend = read_backend("ws://10.0.0.1:9000,check=/healthz" + options)
    assert (backend.checked_as, backend.host) == (checked_as, host)


def test_the_name_in_a_certificate_is_the_host_unless_told_otherwise() -> None:
    assert read_backend("wss://10.0.0.1").address.tls_name == ""
    assert read_backend("wss://10.0.0.1,tls-name=chat.example").address == ServerAddress(
        "10.0.0.1", 443, True, "", "chat.example"
    )


@pytest.mark.parametrize(
    ("url", "authority"),
    [
        ("ws://h", "h"), ("ws://h:80", "h"), ("ws://h:443", "h:443"), ("wss://h:443", "h"), ("wss://h:80", "h:80"),
        ("ws://[::1]:9000", "[::1]:9000"), ("ws://[::1]", "[::1]"),
    ],
)  # fmt: skip
def test_authorities(url: str, authority: str) -> None:
    assert read_address(url).authority == authority


@pytest.mark.parametrize(
    "url", ["ws://[::1]:9000", "ws://host/a/b c".replace(" ", "%20"), "ws://_x_:1", f"ws://{'h' * 60}.{'h' * 60}/"]
)
def test_names_made_from_urls_are_legal(url: str) -> None:
    assert check_name(read_backend(url).name)


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("http://h:1", "must begin with ws:// or wss://"),
        ("h:1", "must begin with ws:// or wss://"),
        ("ws://", "names no host"),
        ("ws://h:99999", "cannot be read"),
        ("ws://h:x", "cannot be read"),
        ("ws://[::1", "cannot be read"),
        ("ws://u:p@h:1", "holds credentials"),
        ("ws://@h:1", "holds credentials"),
        ("ws://h:0", "the port '0' is not a number from 1 to 65535"),
        ("wss://h:00", "the port '00'"),
        ("ws://h:65536", "the port '65536'"),
        ("ws://h:-1", "the port '-1'"),
        ("ws://h:", "the port ''"),
        ("ws://h: 1", "percent-encoded"),
        ("ws://h:1\n", "percent-encoded"),
        ("ws://:9000", "names no host"),
        ("ws:///path", "names no host"),
        ("ws://::1:9000", "must stand in brackets"),
        ("ws://[::1]9000", "brackets"),
        ("ws://[1.2.3.4]:1", "cannot be read"),
        ("ws://256.1.1.1:1", "no IPv4 address"),
        ("ws://a..b:1", "cannot exist"),
        ("ws://h:1/#f", "fragment"),
        ("ws://h:1/?a=b", "query or fragment"),
        ("ws://h:1/a b", "percent-encoded"),
        ("ws://h:1,weight=1e-320", "must be 0 \\(no newcomers\\), or 0.001 to 1000"),
        ("ws://h:1,weight=nan", "must be 0 \\(no newcomers\\)"),
        ("ws://h:1,weight=many", "must be 0 \\(no newcomers\\)"),
        ("ws://h:1,wight=2", "unknown"),
        ("ws://h:1,weight", "unknown"),
        ("ws://h:1,weight=1,weight=2", "given twice"),
        ("ws://h:1,name=a b", "not usable"),
        ("ws://h:1,check-host=", "is empty"),
        ("ws://h:1,check=healthz", "must be a path"),
        ("ws://h:1,check-host=a b", "must be a host"),
        ("ws://h:1,check-host=app.example", "no effect without a check"),
        ("ws://h:1,host=http://a", "must be a host"),
        ("wss://h:1,tls-name=a b", "the TLS name 'a b' of backend 'wss://h:1' must be a host"),
        ("ws://h:1,tls-name=a", "no effect without TLS"),
        ("ws://h:1,group=a b", "the group of backend"),
        ("ws://h:1,close-code=1006", "close-code=1006"),
        ("ws://h:1,restart-codes=1001+x", "several as 1001"),
        ("ws://h:1,on-move=stay", "must be auto, close, reopen or never"),
        ("ws://h:1,on-move=follow", "must be auto, close, reopen or never"),
    ],
)
def test_problems_are_named(spec: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        read_backend(spec)


def test_credentials_are_not_repeated() -> None:
    with pytest.raises(ConfigError) as caught:
        read_backend("ws://user:geheim@h:1")
    assert "geheim" not in str(caught.value)


def test_all_problems_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        read_backends(["ws://a:1,name=x", "ws://b:1,name=x", "ftp://c,weight=-1"])
    assert len(caught.value.problems) == 3


def test_several() -> None:
    assert [backend.name for backend in read_backends(["ws://a:1", "ws://a:1/two"])] == ["a-1", "a-1-two"]
