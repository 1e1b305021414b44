"""Notes of gateways without an engine in the state directory: commands find them by these.

Each such gateway of the machine has a file of its own, named after its process. A file of a process that is gone is
ignored, and removed with the next note.
"""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from ringway.app.state import prepare, process_started, state_dir, unusable
from ringway.engine.private_file import write_private
from ringway.errors import ConfigError, ProtocolError
from ringway.logger import get_logger
from ringway.protocol.decoding import reader

_log = get_logger()


class LoneGateway(msgspec.Struct, frozen=True, kw_only=True):
    """The content of a note."""

    pid: int
    started: str  # start of the process: distinguishes it from a later process with the same id
    url: str
    admin_url: str


_read_note = reader(msgspec.json.Decoder(LoneGateway).decode, "the note of a gateway")


async def be_noted(url: str, admin_url: str) -> None:
    """Note this process as a gateway without an engine, until cancelled. Without a place for the note, log why."""
    try:
        directory = state_dir()
        note_gateway(directory, url, admin_url)
    except ConfigError as error:
        _log.info("commands do not find this gateway", problem=str(error), remedy=f"name it by --admin {admin_url}")
        await asyncio.Event().wait()
        return
    try:
        await asyncio.Event().wait()
    finally:
        forget_gateway(directory)


def note_gateway(directory: Path, url: str, admin_url: str) -> None:
    """Note this process as a gateway without an engine; raise `ConfigError` if that fails."""
    prepare(directory)
    for path, gateway in _notes(directory):
        if not _runs(gateway):
            path.unlink(missing_ok=True)
    pid = os.getpid()
    gateway = LoneGateway(pid=pid, started=process_started(pid) or "", url=url, admin_url=admin_url)
    try:
        write_private(_path(directory, pid), msgspec.json.format(msgspec.json.encode(gateway)).decode())
    except OSError as error:
        raise unusable(directory, error) from None


def forget_gateway(directory: Path) -> None:
    """Remove the note of this process. Idempotent."""
    _path(directory, os.getpid()).unlink(missing_ok=True)


def find_gateways(directory: Path) -> list[LoneGateway]:
    """Return the gateways that run without an engine, by their URLs."""
    return sorted((gateway for _, gateway in _notes(directory) if _runs(gateway)), key=lambda each: each.url)


def find_ended(directory: Path) -> list[LoneGateway]:
    """Return the gateways that have ended without forgetting themselves (kill -9), by their URLs."""
    return sorted((gateway for _, gateway in _notes(directory) if not _runs(gateway)), key=lambda each: each.url)


def _notes(directory: Path) -> Iterator[tuple[Path, LoneGateway]]:
    for path in directory.glob("gateway-*.json"):
        try:
            yield path, _read_note(path.read_bytes())
        except (OSError, ProtocolError):  # it has just gone, or was never a note
            continue


def _runs(gateway: LoneGateway) -> bool:
    return process_started(gateway.pid) == gateway.started


def _path(directory: Path, pid: int) -> Path:
    return directory / f"gateway-{pid}.json"
