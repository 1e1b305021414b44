"""Connections over real sockets, by names whose addresses the test chooses. Under both event loops."""

import asyncio
import os
import socket
import ssl
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
import uvloop

from ringway.net.config import NamesConfig
from ringway.net.connector import Connector
from ringway.net.resolver import Found, Resolver

PATIENCE_S = 20.0
CERTIFICATE = Path(__file__).parents[1] / "client" / "localhost.pem"

Run = Callable[[Coroutine[object, object, None]], None]


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Run:
    def run(main: Coroutine[object, object, None]) -> None:
        async def bounded() -> None:
            async with asyncio.timeout(PATIENCE_S):
                await main

        with asyncio.Runner(loop_factory=request.param) as runner:
            runner.run(bounded())

    return run


class Host:
    """Listeners, refusers and silent addresses on loopback, all at one port, and names that lead to them."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self.names: dict[str, Found] = {}
        self.listeners: dict[str, socket.socket] = {}
        self.port = 0
        self.lookups = 0

    def listen(self, ip: str, backlog: int = 1024) -> socket.socket:
        family = socket.AF_INET6 if ":" in ip else socket.AF_INET
        listener = self._stack.enter_context(socket.socket(family))
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((ip, self.port))
        listener.listen(backlog)
        self.port = listener.getsockname()[1]
        self.listeners[ip] = listener
        return listener

    def silence(self, ip: str) -> None:
        """Accept and refuse no connection at `ip`: its backlog is full."""
        self.listen(ip, backlog=0)
        for _ in range(2):
            filler = self._stack.enter_context(socket.socket(self.listeners[ip].family))
            filler.setblocking(False)
            filler.connect_ex((ip, self.port))

    def name(self, name: str, *ips: str) -> None:
        self.names[name] = tuple(
            (socket.AF_INET6, (ip, 0, 0, 0)) if ":" in ip else (socket.AF_INET, (ip, 0)) for ip in ips
        )

    def lookup(self, name: str) -> Found:
        self.lookups += 1
        return self.names[name]

    def connector(self, **settings: float) -> Connector:
        config = NamesConfig(**settings)  # type: ignore[arg-type]
        return Connector(config, Resolver(config, self.lookup))


@pytest.fixture
def host() -> Iterator[Host]:
    with ExitStack() as stack:
        yield Host(stack)


async def peer(connector: Connector, name: str, port: int) -> str:
    """Connect in both ways; return the address that was reached."""
    transport, _ = await connector.open(asyncio.Protocol, name, port, PATIENCE_S)
    reached = transport.get_extra_info("peername")[0]
    transport.abort()
    with await connector.connect(name, port, PATIENCE_S) as sock:
        assert sock.getpeername()[0] == reached
    return str(reached)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"], ids=["ipv4", "ipv6"])
def test_an_address_is_connected_to_without_asking_anybody(host: Host, run: Run, address: str) -> None:
    host.listen(address)
    run(_reaches(host.connector(), address, host.port, address))
    assert host.lookups == 0


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"], ids=["ipv4", "ipv6"])
def test_a_name_with_one_address(host: Host, run: Run, address: str) -> None:
    host.listen(address)
    host.name("one.example", address)
    run(_reaches(host.connector(fresh_s=60), "one.example", host.port, address))
    assert host.lookups == 1


def test_an_address_that_refuses_is_passed_over(host: Host, run: Run) -> None:
    host.listen("127.0.0.2")
    host.name("two.example", "127.0.0.1", "127.0.0.2")
    run(_reaches(host.connector(next_address_s=60), "two.example", host.port, "127.0.0.2"))


def test_an_address_that_is_silent_is_passed_over(host: Host, run: Run) -> None:
    host.listen("127.0.0.1")
    host.silence("::1")
    host.name("two.example", "::1", "127.0.0.1")
    run(_reaches(host.connector(next_address_s=0.01), "two.example", host.port, "127.0.0.1"))


def test_however_many_are_silent_all_are_tried_within_the_deadline(host: Host, run: Run) -> None:
    host.listen("127.0.0.99")
    dead = [f"127.0.0.{number}" for number in range(10, 30)]
    for ip in dead:
        host.silence(ip)
    host.name("many.example", *dead, "127.0.0.99")

    async def main() -> None:
        connector = host.connector(next_address_s=60)
        (await connector.connect("many.example", host.port, 2.0)).close()

    run(main())


def test_what_was_silent_is_tried_last_the_next_time(host: Host, run: Run) -> None:
    host.listen("127.0.0.1")
    host.silence("::1")
    host.name("two.example", "::1", "127.0.0.1")

    async def main() -> None:
        connector = host.connector(next_address_s=0.01)
        await peer(connector, "two.example", host.port)
        # Without `avoided`, the patient one would wait for a minute for the first address.
        patient = Connector(NamesConfig(next_address_s=60), connector.resolver, avoided=connector.avoided)
        assert await peer(patient, "two.example", host.port) == "127.0.0.1"

    run(main())


def test_the_families_take_turns(host: Host) -> None:
    host.name("x", "::1", "::2", "::3", "127.0.0.1", "127.0.0.2")
    in_order = host.connector().in_order(host.names["x"])
    assert [address[0] for _, address in in_order] == ["::1", "127.0.0.1", "::2", "127.0.0.2", "::3"]


def test_what_all_say_is_told_and_the_name_is_looked_up_again(host: Host, run: Run) -> None:
    host.listen("127.0.0.9")
    host.name("gone.example", "127.0.0.1")
    host.name("gone2.example", "127.0.0.1", "127.0.0.2")

    async def main() -> None:
        connector = host.connector(fresh_s=3600)
        for name in ("gone.example", "gone2.example"):
            with pytest.raises(ConnectionRefusedError):
                await connector.open(asyncio.Protocol, name, host.port, PATIENCE_S)
            host.name(name, "127.0.0.9")
            assert await peer(connector, name, host.port) == "127.0.0.9"

    run(main())


def test_the_deadline_holds_for_lookup_and_connection(host: Host, run: Run) -> None:
    host.silence("127.0.0.1")
    host.silence("127.0.0.2")
    host.name("one.example", "127.0.0.1")
    host.name("two.example", "127.0.0.1", "127.0.0.2")

    async def main() -> None:
        connector = host.connector()
        for name in ("one.example", "two.example", "127.0.0.1"):
            with pytest.raises(TimeoutError):
                await connector.open(asyncio.Protocol, name, host.port, 0.5)
            with pytest.raises(TimeoutError, match=f"no TCP connection to {name}:{host.port} within 0.5 s"):
                await connector.connect(name, host.port, 0.5)

    run(main())


@pytest.mark.parametrize("ips", [["127.0.0.1"], ["127.0.0.2", "127.0.0.1"]], ids=["one", "two"])
@pytest.mark.parametrize("name", ["localhost", "localhost."], ids=["plain", "whole"])
def test_the_certificate_must_be_for_the_name(host: Host, run: Run, ips: list[str], name: str) -> None:
    host.name(name, *ips)
    host.name("other.example", *ips)

    async def main() -> None:
        serving = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        serving.load_cert_chain(CERTIFICATE)
        trusting = ssl.create_default_context(cafile=str(CERTIFICATE))
        server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=serving)
        port = server.sockets[0].getsockname()[1]
        async with server:
            connector = host.connector()
            _, writer = await connector.streams(name, port, PATIENCE_S, ssl=trusting)
            assert writer.get_extra_info("ssl_object").server_hostname == "localhost"
            writer.transport.abort()
            with pytest.raises(ssl.SSLCertVerificationError):
                await connector.streams("other.example", port, PATIENCE_S, ssl=trusting)
            _, writer = await connector.streams("other.example", port, PATIENCE_S, ssl=trusting, tls_name=name)
            writer.transport.abort()
            with pytest.raises(ssl.SSLCertVerificationError):
                await connector.streams(name, port, PATIENCE_S, ssl=trusting, tls_name="other.example")
            await asyncio.sleep(0.05)  # the server's ends of these

    run(main())


def open_sockets() -> int:
    found = 0
    for number in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):  # that of this very listing
            found += os.readlink(f"/proc/self/fd/{number}").startswith("socket:")
    return found


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("ips", [["127.0.0.1"], ["127.0.0.2", "127.0.0.1"]], ids=["one", "two"])
def test_nothing_stays_open_wherever_it_is_cancelled(host: Host, run: Run, ips: list[str], secure: bool) -> None:
    """At every turn of the loop, the one in which it succeeds included; numbers of closed sockets are used again."""
    host.listen("127.0.0.1")
    host.name("n.example", *ips)
    context = ssl.create_default_context() if secure else None

    async def main() -> None:
        connector = host.connector(fresh_s=3600)
        (await connector.connect("n.example", host.port, PATIENCE_S)).close()
        bystanders = []
        before = open_sockets()
        for turn in range(60):
            opening = asyncio.create_task(
                connector.open(asyncio.Protocol, "n.example", host.port, PATIENCE_S, ssl=context)
            )
            for _ in range(turn % 20):
                await asyncio.sleep(0)
            opening.cancel()
            # Takes the number of a socket that was closed a moment ago.
            bystanders.append(await connector.open(asyncio.Protocol, "127.0.0.1", host.port, PATIENCE_S))
            outcome = (await asyncio.gather(opening, return_exceptions=True))[0]
            if isinstance(outcome, tuple):
                outcome[0].abort()
            else:
                assert isinstance(outcome, asyncio.CancelledError)
        assert not any(transport.is_closing() for transport, _ in bystanders)
        for transport, _ in bystanders:
            assert transport.get_extra_info("peername")[1] == host.port
            transport.abort()
        while open_sockets() > before:
            await asyncio.sleep(0.01)

    run(main())


def test_addresses_that_lose_are_closed(host: Host, run: Run) -> None:
    host.listen("127.0.0.1")
    host.silence("::1")
    host.name("two.example", "::1", "127.0.0.1")

    async def main() -> None:
        await host.connector().resolver.find("two.example")
        before = open_sockets()
        for _ in range(10):
            await peer(host.connector(next_address_s=0.001), "two.example", host.port)
        while open_sockets() > before:
            await asyncio.sleep(0.01)

    run(main())


async def _reaches(connector: Connector, name: str, port: int, address: str) -> None:
    assert await peer(connector, name, port) == address
