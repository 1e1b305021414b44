"""A network namespace joined to this one by a pair of devices, for tests of what networks do. Needs Linux and root.

    this namespace: `near` ──── veth pair ──── `far`: what is run by `enter`

From inside all addresses of this machine are reached, `near` of another namespace as well.
Packets are dropped inside, by nftables, at the ports that are given and at no others: so a process can be cut from its
engine, and still be reached by its clients. Everything is named by the process id, and gone with the block.
"""

import itertools
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Literal

Direction = Literal["out", "in", "both"]
"""Which packets are dropped, as seen from inside."""

DIRECTIONS: tuple[Direction, ...] = ("out", "in", "both")

_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_numbers = itertools.count()


def why_not() -> str:
    """Return why no namespace can be made here; empty where one can."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return "only root may make network namespaces"
    missing = [name for name in ("ip", "nft") if shutil.which(name, path=_SYSTEM_PATH) is None]
    return f"there is no {' and no '.join(missing)} here" if missing else ""


class Namespace:
    """See the module; made by `namespace`. `near` and `far` are the addresses of the two ends."""

    def __init__(self) -> None:
        number = next(_numbers)
        self.name = f"rw{os.getpid()}-{number}"
        # A /30 network of 10.213.0.0/16 for each process and number: few run at one time on one machine.
        place = ((os.getpid() * 8 + number) % 16384) * 4
        self.near, self.far = (f"10.213.{place >> 8}.{(place & 255) + end}" for end in (1, 2))
        self._near_device, self.far_device = f"rwn{os.getpid()}-{number}", f"rwf{os.getpid()}-{number}"

    def enter(self, *command: str) -> list[str]:
        """Return the command that runs `command` inside."""
        return ["ip", "netns", "exec", self.name, *command]

    @contextmanager
    def cut(self, direction: Direction, ports: Sequence[int]) -> Iterator[None]:
        """Drop what goes between inside and TCP `ports` outside, in one direction or both, for the block."""
        listed = ", ".join(map(str, ports))
        rules = {"out": ("output", f"tcp dport {{ {listed} }} drop"), "in": ("input", f"tcp sport {{ {listed} }} drop")}
        table = f"ringway_{os.getpid()}"
        chosen = [rules[each] for each in ("out", "in") if direction in (each, "both")]
        chains = "".join(
            f"chain {hook} {{ type filter hook {hook} priority 0; policy accept; {rule}; }}\n" for hook, rule in chosen
        )
        _run(*self.enter("nft", f"table inet {table} {{\n{chains}}}"))
        try:
            yield
        finally:
            _run(*self.enter("nft", f"delete table inet {table}"))

    def make(self) -> None:
        """Make the namespace and its devices."""
        _run("ip", "netns", "add", self.name)
        _run("ip", "link", "add", self._near_device, "type", "veth", "peer", self.far_device, "netns", self.name)
        _run("ip", "address", "add", f"{self.near}/30", "dev", self._near_device)
        _run("ip", "link", "set", self._near_device, "up")
        _run("ip", "-n", self.name, "address", "add", f"{self.far}/30", "dev", self.far_device)
        _run("ip", "-n", self.name, "link", "set", self.far_device, "up")
        _run("ip", "-n", self.name, "link", "set", "lo", "up")
        _run("ip", "-n", self.name, "route", "add", "default", "via", self.near)

    def remove(self) -> None:
        """Remove what is there of it, the pair of devices included."""
        for words in (("link", "delete", self._near_device), ("netns", "delete", self.name)):
            subprocess.run(["ip", *words], env=_environ(), capture_output=True, check=False)


@contextmanager
def namespace() -> Iterator[Namespace]:
    """Make a namespace, and remove it with the end of the block. Processes inside must have ended by then."""
    made = Namespace()
    try:
        made.make()
        yield made
    finally:
        made.remove()


def _environ() -> dict[str, str]:
    return {**os.environ, "PATH": f"{os.environ.get('PATH', '')}:{_SYSTEM_PATH}"}


def _run(*command: str) -> None:
    done = subprocess.run(command, env=_environ(), capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
