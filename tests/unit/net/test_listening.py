"""Hosts to listen at, and the addresses that they mean."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from ringway.errors import ConfigError
from ringway.net.listening import bind, is_free, listen, reachable


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def bound(stack: ExitStack, host: str, port: int = 0) -> set[tuple[str, int]]:
    return {stack.enter_context(sock).getsockname()[:2] for sock in bind(host, port)}


@pytest.mark.parametrize("host", ["*", "::", "[::]"], ids=["star", "colons", "brackets"])
def test_everywhere_is_both_families_at_one_port(stack: ExitStack, host: str) -> None:
    found = bound(stack, host)
    assert {address for address, _ in found} == {"0.0.0.0", "::"}
    assert len({port for _, port in found}) == 1


@pytest.mark.parametrize(
    ("host", "addresses"),
    [("0.0.0.0", {"0.0.0.0"}), ("127.0.0.1", {"127.0.0.1"}), ("::1", {"::1"}), ("[::1]", {"::1"})],
    ids=["ipv4", "loopback4", "loopback6", "brackets"],
)
def test_an_address_is_itself(stack: ExitStack, host: str, addresses: set[str]) -> None:
    assert {address for address, _ in bound(stack, host)} == addresses


def test_a_name_is_all_its_addresses_at_one_port(stack: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    both = [(socket.AF_INET6, 1, 6, "", ("::1", 0, 0, 0)), (socket.AF_INET, 1, 6, "", ("127.0.0.1", 0))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: both * 2)
    found = bound(stack, "both.example")
    assert {address for address, _ in found} == {"127.0.0.1", "::1"}
    assert len({port for _, port in found}) == 1


def test_a_machine_without_ipv6_listens_at_ipv4(stack: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.socket

    def only_v4(family: int = -1, *rest: int) -> socket.socket:
        if family == socket.AF_INET6:
            raise OSError(97, "Address family not supported by protocol")
        return real(family, *rest)

    monkeypatch.setattr(socket, "socket", only_v4)
    found = [sock.getsockname()[0] for sock in bind("*", 0) if stack.callback(sock.close)]
    assert found == ["0.0.0.0"]


def test_an_empty_host_is_refused_with_the_remedy() -> None:
    with pytest.raises(ConfigError, match=r"write \* for all addresses"):
        bind("", 0)


@pytest.mark.parametrize("host", ["a..b", "x" * 70, "no such host"], ids=["empty-part", "long", "blanks"])
def test_what_is_no_host_is_an_error_of_the_system(host: str) -> None:
    with pytest.raises(OSError):  # noqa: PT011  the resolver's own words
        bind(host, 0)


def test_a_port_is_free_only_where_it_is_at_all_addresses(stack: ExitStack) -> None:
    taken = stack.enter_context(socket.create_server(("::1", 0), family=socket.AF_INET6))
    port = taken.getsockname()[1]
    assert not is_free("*", port)
    assert not is_free("::1", port)
    assert is_free("127.0.0.1", port)
    with pytest.raises(OSError, match="in use"):
        bind("::", port)


@pytest.mark.parametrize(
    ("host", "told"), [("10.0.0.1", "10.0.0.1"), ("fd00::1", "[fd00::1]"), ("[fd00::1]", "[fd00::1]"), ("a.b", "a.b")]
)
def test_what_others_are_told(host: str, told: str) -> None:
    assert reachable(host) == told


@pytest.mark.parametrize("host", ["*", "::", "0.0.0.0", "[::]"], ids=["star", "colons", "ipv4", "brackets"])
def test_others_are_told_the_name_of_the_machine_that_listens_everywhere(host: str) -> None:
    assert reachable(host) == socket.gethostname()


async def test_clients_of_both_families_come_by_their_own_addresses() -> None:
    peers: asyncio.Queue[str] = asyncio.Queue()

    class Greeter(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            peers.put_nowait(transport.get_extra_info("peername")[0])
            assert isinstance(transport, asyncio.Transport)
            transport.abort()

    listening = await listen(Greeter, "::", 0, 8)
    try:
        for address in ("127.0.0.1", "::1"):
            transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, address, listening.port)
            assert await asyncio.wait_for(peers.get(), 10) == address
            transport.abort()
    finally:
        listening.close()
    assert (listening.port, listening.sockets) == (0, ())
