"""Servers for tests of collectors: a real snmpd on loopback, and servers with given answers."""

import asyncio
import contextlib
import random
import shutil
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from ringway.collect.collector import Facts
from ringway.types import NodeName

PATIENCE_S = 15.0

COMMUNITY = "loopback"
USER, AUTH_KEY, PRIV_KEY = "watcher", "auth-of-loopback", "priv-of-loopback"

OWN_OID = "1.3.6.1.4.1.8072.9999.1.0"
"""Under net-snmp's tree for playing: the agent reads it from a file."""

TEXT_OID = "1.3.6.1.4.1.8072.9999.2.0"
IDLE_OID = "1.3.6.1.4.1.2021.11.11.0"
PROCESSOR_OID = "1.3.6.1.2.1.25.3.3.1.2"

CONFIG = f"""\
rocommunity {COMMUNITY} 127.0.0.0/8
createUser {USER} SHA-256 {AUTH_KEY} AES {PRIV_KEY}
rouser {USER} priv
pass_persist .{OWN_OID} /bin/sh {{script}}
override .{TEXT_OID} octet_str "much"
"""

SCRIPT = """\
while read -r asked; do
  case "$asked" in
    PING) echo PONG ;;
    get) read -r oid; echo "$oid"; echo integer; cat "{value}" ;;
    *) read -r oid; echo NONE ;;
  esac
done
"""
"""Speaks `pass_persist` of snmpd.conf(5); what plain `pass` answers is kept for 30 s."""

NODE = Facts(name=NodeName("n1"), url="ws://127.0.0.1:9000", host="127.0.0.1", port=9000)


class Snmpd:
    """Debian's snmpd with a configuration and a directory of its own. `value` is what it says of `OWN_OID`."""

    def __init__(self, directory: Path, *, host: str = "127.0.0.1", port: int = 0, more: str = "") -> None:
        self.host = host
        self.port = port or free_udp_port()
        self._directory = directory
        self._more = more
        self._process: subprocess.Popen[bytes] | None = None
        directory.mkdir(parents=True, exist_ok=True)
        self.say(0)

    def say(self, value: int) -> None:
        """Let the agent answer `value` from now on."""
        fresh = self._directory / "value.new"
        fresh.write_text(f"{value}\n")
        fresh.rename(self._directory / "value")

    def start(self) -> None:
        binary = shutil.which("snmpd") or "/usr/sbin/snmpd"
        script = self._directory / "value.sh"
        script.write_text(SCRIPT.format(value=self._directory / "value"))
        config = self._directory / "snmpd.conf"
        config.write_text(CONFIG.format(script=script) + self._more)
        state = self._directory / "state"
        state.mkdir(exist_ok=True)
        self._process = subprocess.Popen(
            [binary, "-f", "-Ln", "-C", "-c", str(config), f"udp:{self.host}:{self.port}"],
            env={"MIBS": "", "SNMP_PERSISTENT_DIR": str(state), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + PATIENCE_S
        while not self._listens():
            assert self._process.poll() is None, "snmpd ended at its start"
            assert time.monotonic() < deadline, "snmpd does not listen"
            time.sleep(0.02)

    def stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            process.wait(PATIENCE_S)

    def forget(self) -> None:
        """Give the agent a new engine id at its next start."""
        shutil.rmtree(self._directory / "state")

    def _listens(self) -> bool:
        """Look, and do not try: whoever binds the port to see whether it is taken may take it from the agent."""
        bound = [line.split()[1] for line in Path("/proc/net/udp").read_text().splitlines()[1:]]
        return any(int(address.partition(":")[2], 16) == self.port for address in bound)


def free_udp_port() -> int:
    """Return a UDP port that was free a moment ago, below those that outgoing traffic is given."""
    while True:
        port = random.randrange(20_000, 32_000)
        with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(("127.0.0.1", port))
            return port


@asynccontextmanager
async def answering(*pieces: bytes, hold: bool = False) -> AsyncIterator[tuple[int, list[bytes]]]:
    """Serve TCP: read what comes at first, write `pieces`, and close, or `hold` the connection open.

    Yields the port, and the list that what came is put into.
    """
    asked: list[bytes] = []
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            async with asyncio.timeout(0.2 if not hold else PATIENCE_S):
                with contextlib.suppress(TimeoutError):
                    asked.append(await reader.read(4096))
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
            if hold:
                await asyncio.Event().wait()
        except (ConnectionError, asyncio.CancelledError):
            pass
        except TimeoutError:
            for piece in pieces:
                writer.write(piece)
        finally:
            writer.close()
            tasks.discard(task)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], asked
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def eventually(condition: Callable[[], object]) -> None:
    """Wait until `condition` is true; fail at the deadline."""
    until = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < until, f"still not so after {PATIENCE_S} s: {condition}"
        await asyncio.sleep(0.01)
