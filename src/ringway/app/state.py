"""The state directory: where `ringway up` keeps its data, and by which every command finds the running system."""

import os
import secrets
from collections.abc import Mapping
from pathlib import Path

import msgspec

from ringway.app.engine import SECRET_BYTES_MIN
from ringway.engine.private_file import write_private
from ringway.errors import ConfigError, ProtocolError
from ringway.protocol.decoding import reader

STATE_DIR_ENV = "RINGWAY_STATE_DIR"


class Running(msgspec.Struct, frozen=True, kw_only=True):
    """What `up.json` says of the system that `ringway up` runs. Holds secrets: mode 0600, never printed."""

    pid: int
    started: str  # of the process: tells it from a later one with the same id
    engine_url: str
    cluster: str
    secret: str
    gateway_url: str
    admin_url: str
    logs: str


_read_running = reader(msgspec.json.Decoder(Running).decode, "up.json")


def state_dir(given: str | None = None, environ: Mapping[str, str] = os.environ) -> Path:
    """Return the state directory: `given`, `RINGWAY_STATE_DIR`, or the user's usual place. Not made here.

    Raise `ConfigError` where that is in a home directory and there is none.
    """
    chosen = given or environ.get(STATE_DIR_ENV)
    base = environ.get("XDG_STATE_HOME", "")
    try:
        if chosen:
            return Path(chosen).expanduser().absolute()
        # The XDG specification says that a relative path there is to be ignored.
        return (Path(base) if os.path.isabs(base) else Path.home() / ".local" / "state") / "ringway"
    except (RuntimeError, OSError) as error:
        raise ConfigError(
            f"the state directory cannot be found ({str(error).rstrip('.')}); give one with --state or {STATE_DIR_ENV}"
        ) from None


def prepare(directory: Path) -> None:
    """Make `directory`, readable by its owner alone; raise `ConfigError` where that fails."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not os.access(directory, os.W_OK | os.X_OK):
            raise PermissionError("no permission to write")
    except OSError as error:
        raise unusable(directory, error) from None


def unusable(directory: Path, error: OSError) -> ConfigError:
    """Return what to raise where something in the state directory cannot be written or read."""
    return ConfigError(
        f"the state directory {directory} cannot be used ({error}); make room there, or give another: --state"
    )


def open_private(directory: Path, name: str) -> int:
    """Return a descriptor that writes the file `name` of the state directory anew; raise `ConfigError`."""
    prepare(directory)
    try:
        return os.open(directory / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise unusable(directory, error) from None


def find_running(directory: Path) -> Running | None:
    """Return the system that runs from `directory`; None where there is none, or only what a dead one left."""
    try:
        running = _read_running((directory / "up.json").read_bytes())
    except (OSError, ProtocolError):
        return None
    return running if process_started(running.pid) == running.started else None


def write_running(directory: Path, running: Running) -> None:
    """Let every command find `running`; readers see the old file or the new one, never a part."""
    text = msgspec.json.format(msgspec.json.encode(running)).decode()
    write_private(directory / "up.json", text)


def forget_running(directory: Path) -> None:
    """Remove `up.json`. Idempotent."""
    (directory / "up.json").unlink(missing_ok=True)


def keep_secret(directory: Path) -> str:
    """Return the secret that belongs to `directory`, made at the first call: 256 bits, readable by its owner alone.

    It outlives the system, so that a hashing policy puts keys where it put them before.
    """
    path = directory / "secret"
    try:
        kept = _read_secret(path)
        if not kept:
            kept = secrets.token_hex(32)
            # One that is empty, as a crash can leave it, was never in use.
            write_private(path, kept, replace=path.exists())
    except FileExistsError:
        kept = _read_secret(path)  # another process has made it meanwhile
    except OSError as error:
        raise unusable(directory, error) from None
    return kept


def _read_secret(path: Path) -> str:
    """Return the secret that is kept; empty where there is none. Raise `ConfigError` where it is damaged."""
    try:
        kept = path.read_bytes().strip()
    except FileNotFoundError:
        return ""
    if not kept.strip(b"\0"):  # some file systems leave zeros where a write was lost
        return ""
    if not (len(kept) >= SECRET_BYTES_MIN and kept.isascii() and kept.decode("ascii").isprintable()):
        raise ConfigError(
            f"the secret in {path} is damaged; restore the file, or remove it and a new one is made: then nodes and "
            "gateways that run with the old one are strangers, and hashing policies put keys elsewhere"
        )
    return kept.decode("ascii")


def process_started(pid: int) -> str | None:
    """Return when the process `pid` started, as a text that no other process with that id has; None without one."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return None
    # The command in the second field may hold spaces and brackets; fields count from behind it (proc_pid_stat(5)).
    state, *rest = stat.rpartition(")")[2].split()
    return None if state in "ZX" else f"{boot}:{rest[18]}"
