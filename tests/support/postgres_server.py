"""A real PostgreSQL server of one's own, for tests and benchmarks: started, stopped, killed, and started again."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from support.server_process import ServerProcess
from support.system import free_port, wait_for

READY_S = 60.0
SERVER_USERS = ("postgres", "nobody")
"""Users as whom it may run where the tests run as root, as which it refuses to."""


def find_binary(name: str) -> str:
    """Return the path of a program of PostgreSQL; Debian keeps those of the server out of PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: int(path.parts[4]))
    path = shutil.which(name) or (str(found[-1]) if found else "")
    assert path, f"{name} is not here; scripts/test installs it (Debian package postgresql)"
    return path


class PostgresServer:
    """A server with the database `postgres`, whose superuser is `postgres`.

    It keeps its address and its data through every stop and start, until `remove`. It ends with the thread that
    started it.
    """

    def __init__(self) -> None:
        self.port = free_port()
        self._directory = Path(tempfile.mkdtemp(prefix="ringway-postgres-"))
        self._as_user: list[str] = []
        if os.geteuid() == 0:
            user = next(name for name in SERVER_USERS if _exists(name))
            entry = pwd.getpwnam(user)
            os.chown(self._directory, entry.pw_uid, entry.pw_gid)
            self._as_user = [
                shutil.which("setpriv") or "/usr/bin/setpriv", f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}",
                "--clear-groups", "--pdeathsig", "SIGKILL", "--",
            ]  # fmt: skip
        self._data = self._directory / "data"
        self._process = ServerProcess(self._directory / "postgres.log")
        made = subprocess.run(
            [*self._as_user, find_binary("initdb"), "-D", str(self._data), "-U", "postgres", "-A", "trust", "-N",
             "-E", "UTF8", "--no-locale"],
            capture_output=True, text=True, check=False, cwd="/",
        )  # fmt: skip
        assert made.returncode == 0, made.stderr

    def dsn(self, database: str = "postgres", password: str = "") -> str:
        """Return the address of one of its databases."""
        user = f"postgres:{password}" if password else "postgres"
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}"

    @property
    def running(self) -> bool:
        """True if its process lives."""
        return self._process.running

    def start(self) -> None:
        """Start it, and return when it answers."""
        wait_for(self._start_once, "PostgreSQL to answer", READY_S)

    def stop(self) -> None:
        """End it at once, in order: connections are cut ("fast shutdown"), and the data is complete."""
        self._process.end(signal.SIGINT)

    def kill(self) -> None:
        """End it as a power cut would; its other processes end when they see it."""
        self._process.end(signal.SIGKILL)

    def remove(self) -> None:
        """End it, and remove its data."""
        if self.running:
            self._process.end(signal.SIGQUIT)
        shutil.rmtree(self._directory, ignore_errors=True)

    def _start_once(self) -> bool:
        """Try to start it: it refuses while other processes of a killed one live."""
        self._process.launch(
            [*self._as_user, find_binary("postgres"), "-D", str(self._data), "-p", str(self.port), "-h", "127.0.0.1",
             "-k", str(self._directory), "-c", "max_connections=200", "-c", "fsync=off"]
        )  # fmt: skip
        wait_for(self._answers_or_ended, "PostgreSQL to answer", READY_S)
        if not self.running and "is still in use" not in self._process.last_words():
            raise RuntimeError(f"PostgreSQL ended: {self._process.last_words()}")
        return self.running

    def _answers_or_ended(self) -> bool:
        ask = [find_binary("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        return not self.running or subprocess.run(ask, check=False).returncode == 0


def _exists(user: str) -> bool:
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True
