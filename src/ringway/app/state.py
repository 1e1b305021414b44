"""The state directory: `ringway up` stores its data here, and every command finds the running system by it."""

import os
import secrets
from collections.abc import Mapping
from pathlib import Path

import msgspec

from ringway.app.engine import SECRET_BYTES_MIN, EngineConfig
from ringway.engine.private_file import write_private
from ringway.errors import ConfigError, ProtocolError
from ringway.protocol.decoding import reader

STATE_DIR_ENV = "RINGWAY_STATE_DIR"


class Running(msgspec.Struct, frozen=True, kw_only=True):
    """The content of `up.json`: the system that `ringway up` runs. Holds secrets: mode 0600, never printed."""

    pid: int
    started: str  # start of the process: distinguishes it from a later process with the same id
    engine_url: str
    cluster: str
    secret: str = ""  # empty if it is in a file, which may change
    secret_file: str = ""
    previous_secret: str = ""
    previous_secret_file: str = ""
    gateway_url: str
    admin_url: str
    logs: str
    hash_secret: str = ""
    registration_url: str = ""  # empty: no gateway of the system takes registrations
    registration_tokens_file: str = ""
    insecure: bool = False  # its nodes check no rights of clients

    @property
    def engine(self) -> EngineConfig:
        """The settings that join a process to the system."""
        return EngineConfig(url=self.engine_url, **{name: getattr(self, name) for name in JOINING})


JOINING = ("cluster", "secret", "secret_file", "previous_secret", "previous_secret_file", "hash_secret")
"""The settings of the engine, beside its URL, that all members of the system share."""


_read_running = reader(msgspec.json.Decoder(Running).decode, "up.json")


def state_dir(given: str | None = None, environ: Mapping[str, str] = os.environ) -> Path:
    """Return the state directory: `given`, `RINGWAY_STATE_DIR`, or the user's usual place. Does not create it.

    Raise `ConfigError` if it would be in a home directory and the user has none.
    """
    chosen = given or environ.get(STATE_DIR_ENV)
    base = environ.get("XDG_STATE_HOME", "")
    try:
        if chosen:
            return Path(chosen).expanduser().absolute()
        # The XDG specification says that a relative path in this variable is to be ignored.
        return (Path(base) if os.path.isabs(base) else Path.home() / ".local" / "state") / "ringway"
    except (RuntimeError, OSError) as error:
        raise ConfigError(
            f"the state directory cannot be found ({str(error).rstrip('.')}); give one with --state or {STATE_DIR_ENV}"
        ) from None


def prepare(directory: Path) -> None:
    """Make `directory`, readable only by its owner; raise `ConfigError` if that fails."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not os.access(directory, os.W_OK | os.X_OK):
            raise PermissionError("no permission to write")
    except OSError as error:
        raise unusable(directory, error) from None


def unusable(directory: Path, error: OSError) -> ConfigError:
    """Return the error for a file in the state directory that cannot be written or read."""
    return ConfigError(
        f"the state directory {directory} cannot be used ({error}); make room there, or give another: --state"
    )


def open_private(directory: Path, name: str) -> int:
    """Return a descriptor that overwrites the file `name` of the state directory; raise `ConfigError` if that fails."""
    prepare(directory)
    try:
        return os.open(directory / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise unusable(directory, error) from None


def find_running(directory: Path) -> Running | None:
    """Return the system that runs from `directory`; None if there is none, or only the file of a dead system."""
    try:
        running = _read_running((directory / "up.json").read_bytes())
    except (OSError, ProtocolError):
        return None
    return running if process_started(running.pid) == running.started else None


def write_running(directory: Path, running: Running) -> None:
    """Publish `running` to all commands. Readers see the old file or the new file, never a part."""
    text = msgspec.json.format(msgspec.json.encode(running)).decode()
    write_private(directory / "up.json", text)


def forget_running(directory: Path) -> None:
    """Remove `up.json`. Idempotent."""
    (directory / "up.json").unlink(missing_ok=True)


def keep_secret(directory: Path, name: str = "secret", first: str = "") -> str:
    """Return the secret in the file `name` of `directory`, readable only by its owner.

    It is made at the first call, of 256 random bits if there is no `first`. It outlives the system, so that a hashing
    policy places keys as before.
    """
    path = directory / name
    try:
        kept = _read_secret(path)
        if not kept:
            kept = first or secrets.token_hex(32)
            # An empty file, which a crash can leave behind, was never in use.
            write_private(path, kept, replace=path.exists())
    except FileExistsError:
        kept = _read_secret(path)  # a concurrent process has made it meanwhile
    except OSError as error:
        raise unusable(directory, error) from None
    return kept


def keep_empty(directory: Path, name: str) -> None:
    """Make the file `name` of `directory`, empty and readable only by its owner, if it is not there."""
    try:
        (directory / name).touch(mode=0o600)
    except OSError as error:
        raise unusable(directory, error) from None


def _read_secret(path: Path) -> str:
    """Return the stored secret; empty if there is none. Raise `ConfigError` if it is damaged."""
    try:
        kept = path.read_bytes().strip()
    except FileNotFoundError:
        return ""
    if not kept.strip(b"\0"):  # some file systems leave zeros after a lost write
        return ""
    if not (len(kept) >= SECRET_BYTES_MIN and kept.isascii() and kept.decode("ascii").isprintable()):
        raise ConfigError(
            f"the secret in {path} is damaged; restore the file, or remove it and a new one is made: then nodes and "
            "gateways that run with the old one are strangers, and hashing policies put keys elsewhere"
        )
    return kept.decode("ascii")


def process_started(pid: int) -> str | None:
    """Return the start of the process `pid`, as a text that is unique for this id; None if it is gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return None
    # The command in the second field may hold spaces and brackets; count the fields after it (proc_pid_stat(5)).
    state, *rest = stat.rpartition(")")[2].split()
    return None if state in "ZX" else f"{boot}:{rest[18]}"
