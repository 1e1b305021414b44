"""The sidecar: one server, or several workers, each a backend of its own."""

import asyncio
import os
import socket
from collections.abc import Sequence
from random import Random
from typing import Any

from ringway.core.backend_reader import read_backend_fields
from ringway.core.backend_spec import name_of
from ringway.errors import ConfigError
from ringway.protocol.address import PORT_MAX, bracketed, read_url
from ringway.protocol.host import is_loopback
from ringway.protocol.server_address import ServerAddress, read_address
from ringway.sidecar.command import PORT, ServerCommand, find_program
from ringway.sidecar.config import PORTS, JoinConfig
from ringway.sidecar.lease import ServerLease
from ringway.sidecar.registrar import Registrar, read_token
from ringway.sidecar.worker import Worker


class Sidecar:
    """Registers the server at `url`, or the workers from its port on. `words` are the command that is one worker.

    `config.at` names the registration ports. Raise `ConfigError` with what cannot be right.
    """

    def __init__(self, config: JoinConfig, url: str, words: Sequence[str], rng: Random) -> None:
        address = read_address(url)
        count = config.workers or len(os.sched_getaffinity(0))
        _check(config, address, words, count)
        name = config.name or name_of(f"ws://{socket.gethostname()}:{address.port}")
        self._restart = count > 1
        names = [f"{name}-{number + 1}" for number in range(count)] if count > 1 else [name]
        self._workers = [
            _make_worker(config, each, address, address.port + number, words, rng) for number, each in enumerate(names)
        ]

    async def run(self) -> int:
        """Run the server, and return its exit code. Several workers, or a server without a command, run for ever.

        Raise `ConfigError`, before anything is started, if something else renews a registration of a server.
        """
        await asyncio.gather(*(worker.refuse_held_name() for worker in self._workers))
        return (await asyncio.gather(*(worker.run(restart=self._restart) for worker in self._workers)))[0]

    async def stop(self, *, gentle: bool) -> int:
        """End all workers, and return the exit code: the greatest of theirs."""
        return max(await asyncio.gather(*(worker.stop(gentle=gentle) for worker in self._workers)))

    def hang_up(self) -> None:
        """Pass SIGHUP on to the workers."""
        for worker in self._workers:
            worker.hang_up()


def _make_worker(
    config: JoinConfig, name: str, address: ServerAddress, port: int, words: Sequence[str], rng: Random
) -> Worker:
    scheme, host = "wss" if address.tls else "ws", config.advertise or address.host
    fields = _fields(config, f"{scheme}://{bracketed(host)}:{port}{address.prefix}")
    read_backend_fields({**fields, "name": name}, f"backend {name!r}", also=("ttl_s",))
    registrar = Registrar(config.at, config.token_file)
    here = ServerAddress(address.host, port, address.tls, address.prefix)
    lease = ServerLease(name, fields, here, registrar, config.check_timeout_s, rng)
    return Worker(lease, ServerCommand(words, port) if words else None, config, rng)


def _fields(config: JoinConfig, url: str) -> dict[str, Any]:
    """Return the fields of the registration; empty ones are left out."""
    texts = {name: getattr(config, name) for name in ("group", "zone", "check", "host", "on_move")}
    numbers = {"weight": config.weight, "close_code": config.close_code, "ttl_s": config.ttl_s}
    return {"url": url, **numbers, **{name: text for name, text in texts.items() if text}}


def _check(config: JoinConfig, address: ServerAddress, words: Sequence[str], count: int) -> None:
    """Raise `ConfigError` with everything that cannot work."""
    problems = []
    if not config.at:
        problems.append("no registration port is named; give one with --at http://gateway:7400")
    elif is_loopback(config.advertise or address.host) and not all(_is_here(url) for url in config.at):
        problems.append(
            f"gateways on other machines cannot reach {config.advertise or address.host}; give the host at which they "
            "reach this server with --advertise"
        )
    if count > 1 and not any(PORT in word for word in words):
        problems.append(
            f"{count} workers need a port each; give a COMMAND with {PORT} in it, as `-- uvicorn app:app --port {PORT}`"
        )
    if address.port + count - 1 > PORT_MAX:
        problems.append(f"there are no {count} ports from {address.port} on; give a lower port in the URL")
    try:
        if words:
            find_program(words)
        if config.token_file:
            read_token(config.token_file)
    except ConfigError as error:
        problems += error.problems
    if problems:
        raise ConfigError(*problems)


def _is_here(url: str) -> bool:
    return is_loopback(read_url(url, PORTS, "write http://host:port").host)
