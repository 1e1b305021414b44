"""Network namespace with names of its own, whose name server receives queries and answers none."""

import asyncio
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

from support.netns import Namespace, namespace

PATIENCE_S = 30.0
_FILES = Path("/etc/netns")


class Place:
    """A namespace from which `near` is this machine; commands inside see `hosts` as their /etc/hosts."""

    def __init__(self, inside: Namespace, tmp: Path) -> None:
        self.inside = inside
        self._tmp = tmp
        self._files = _FILES / inside.name
        self._files.mkdir(parents=True)

    def know(self, hosts: dict[str, list[str]]) -> None:
        """Give names their addresses; queries for other names go to the silent name server."""
        lines = ["127.0.0.1 localhost", *(f"{ip} {name}" for name, ips in hosts.items() for ip in ips)]
        (self._files / "hosts").write_text("\n".join([*lines, ""]))
        (self._files / "resolv.conf").write_text(f"nameserver {self.inside.near}\n")
        (self._files / "nsswitch.conf").write_text("hosts: files dns\n")

    def forget(self) -> None:
        shutil.rmtree(self._files, ignore_errors=True)

    @asynccontextmanager
    async def ringway(self, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
        """Run a command of ours inside for the block; its log goes to a file that failures show."""
        log = self._tmp / f"{arguments[0]}.log"
        clean = {name: value for name, value in os.environ.items() if not name.startswith("RINGWAY_")}
        with log.open("wb") as written:
            process = await asyncio.create_subprocess_exec(
                *self.inside.enter(sys.executable, "-m", "ringway", *arguments),
                stdout=written,
                stderr=written,
                env=clean | {"RINGWAY_STATE_DIR": str(self._tmp / "state")},
            )
        try:
            yield process
        except BaseException as error:
            error.add_note(log.read_text(errors="replace")[-8000:])
            raise
        finally:
            with suppress(ProcessLookupError):
                process.terminate()
            try:
                await asyncio.wait_for(process.wait(), PATIENCE_S)
            except TimeoutError:
                process.kill()
                await process.wait()


@contextmanager
def place(tmp: Path) -> Iterator[Place]:
    """Make a place for the block; `know` says what its names are."""
    with namespace() as inside:
        made = Place(inside, tmp)
        try:
            made.know({})
            with silent_name_server(inside.near):
                yield made
        finally:
            made.forget()


@contextmanager
def silent_name_server(ip: str) -> Iterator[None]:
    """Receive queries at port 53 of `ip` and answer none: a client waits as long as it can."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as deaf:
        deaf.bind((ip, 53))
        yield


def lose_ipv6(place: Place, ip: str) -> None:
    """Give the namespace an IPv6 network of which `ip` is a part, and drop what is sent there."""
    name = place.inside.name
    device = place.inside.far_device
    rule = f"table ip6 lost {{ chain output {{ type filter hook output priority 0; ip6 daddr {ip} drop; }}; }}"
    for words in (
        ("ip", "-n", name, "address", "add", f"{ip}0/64", "dev", device, "nodad"),
        tuple(place.inside.enter("nft", rule)),
    ):
        subprocess.run(words, env=_environ(), check=True, capture_output=True)


def _environ() -> dict[str, str]:
    return {**os.environ, "PATH": f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin:/sbin"}
