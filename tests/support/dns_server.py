"""Name server on loopback, over UDP and TCP: answers what a test gives it, or fails as the test wants."""

import asyncio
import struct
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

UDP_BYTES_MAX = 512

SILENT = "silent"


class NameServer:
    """A server whose zone is `records`: texts by name and type, such as ("chat.test", "A"): ["10.0.0.1"].

    A name without records of any type does not exist. `failing` has an rcode, or `SILENT`, by name and type.
    """

    def __init__(self) -> None:
        self.records: dict[tuple[str, str], list[str]] = {}
        self.failing: dict[tuple[str, str], str] = {}
        self.ttl_s = 1
        self.asked: Counter[tuple[str, str]] = Counter()
        self.over_tcp = 0
        self.port = 0

    def fail(self, how: str, *names: str) -> None:
        """Let all questions about `names` fail."""
        self.failing = {(name, kind): how for name in names for kind in ("A", "AAAA", "SRV")}

    @property
    def spec(self) -> str:
        """The option of a backend that names it."""
        return f"nameserver=127.0.0.1:{self.port}"

    def answer(self, wire: bytes, *, tcp: bool) -> bytes | None:
        query = dns.message.from_wire(wire)
        question = query.question[0]
        key = question.name.to_text(omit_final_dot=True), dns.rdatatype.to_text(question.rdtype)
        self.asked[key] += 1
        self.over_tcp += tcp
        response = dns.message.make_response(query)
        response.flags |= dns.flags.RA
        failure = self.failing.get(key, "")
        if failure == SILENT:
            return None
        if failure:
            response.set_rcode(dns.rcode.from_text(failure))
        elif key in self.records:
            if self.records[key]:
                texts = self.records[key]
                response.answer.append(dns.rrset.from_text_list(question.name, self.ttl_s, "IN", key[1], texts))
        elif key[0] not in {name for name, _ in self.records}:
            response.set_rcode(dns.rcode.NXDOMAIN)
        whole = response.to_wire()
        if not tcp and len(whole) > UDP_BYTES_MAX:
            response.answer.clear()
            response.flags |= dns.flags.TC
            return response.to_wire()
        return whole


class _Udp(asyncio.DatagramProtocol):
    def __init__(self, server: NameServer) -> None:
        self._server = server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        answer = self._server.answer(data, tcp=False)
        if answer is not None:
            self._transport.sendto(answer, addr)


@asynccontextmanager
async def serving_names() -> AsyncIterator[NameServer]:
    """Run a name server at a free port."""
    server = NameServer()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                (length,) = struct.unpack("!H", await reader.readexactly(2))
                answer = server.answer(await reader.readexactly(length), tcp=True)
                if answer is not None:
                    writer.write(struct.pack("!H", len(answer)) + answer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    tcp = await asyncio.start_server(serve, "127.0.0.1", 0)
    server.port = tcp.sockets[0].getsockname()[1]
    loop = asyncio.get_running_loop()
    udp, _ = await loop.create_datagram_endpoint(lambda: _Udp(server), ("127.0.0.1", server.port))
    try:
        yield server
    finally:
        udp.close()
        tcp.close()
        await tcp.wait_closed()
