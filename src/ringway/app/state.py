"""The state directory: where `ringway up` keeps its data, and by which every command finds the running system."""

import os
import secrets
import tempfile
from collections.abc import Mapping
from pathlib import Path

import msgspec

from ringway.errors import ConfigError

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


def state_dir(given: str | None = None, environ: Mapping[str, str] = os.environ) -> Path:
    """Return the state directory: `given`, `RINGWAY_STATE_DIR`, or the user's usual place. Not made here."""
    if given or environ.get(STATE_DIR_ENV):
        return Path(given or environ[STATE_DIR_ENV]).expanduser().absolute()
    base = environ.get("XDG_STATE_HOME", "")
    # The XDG specification says that a relative path there is to be ignored.
    return (Path(base) if os.path.isabs(base) else Path.home() / ".local" / "state") / "ringway"


def prepare(directory: Path) -> None:
    """Make `directory`, readable by its owner alone; raise `ConfigError` where that fails."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not os.access(directory, os.W_OK | os.X_OK):
            raise PermissionError("no permission to write")
    except OSError as error:
        raise ConfigError(f"the state directory {directory} cannot be used ({error}); give another: --state") from None


def find_running(directory: Path) -> Running | None:
    """Return the system that runs from `directory`; None where there is none, or only what a dead one left."""
    try:
        running = msgspec.json.decode((directory / "up.json").read_bytes(), type=Running)
    except (OSError, msgspec.DecodeError):
        return None
    return running if process_started(running.pid) == running.started else None


def write_running(directory: Path, running: Running) -> None:
    """Let every command find `running`; readers see the old file or the new one, never a part."""
    handle, name = tempfile.mkstemp(dir=directory, prefix=".up-")  # made with mode 0600
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(running)))
        os.replace(name, directory / "up.json")
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def forget_running(directory: Path) -> None:
    """Remove `up.json`. Idempotent."""
    (directory / "up.json").unlink(missing_ok=True)


def keep_secret(directory: Path) -> str:
    """Return the secret that belongs to `directory`, made at the first call: 256 bits, readable by its owner alone.

    It outlives the system, so that a hashing policy puts keys where it put them before.
    """
    path = directory / "secret"
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        return path.read_text().strip()
    with open(descriptor, "w") as file:
        secret = secrets.token_hex(32)
        file.write(secret)
    return secret


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
