"""A real Redis or Valkey server of one's own, for tests and benchmarks: started, killed, paused, and started again."""

import os
import shutil
import signal
import socket
from contextlib import suppress
from pathlib import Path

from support.server_process import ServerProcess
from support.system import free_port, wait_for

READY_S = 30.0


class RedisServer:
    """A server in `directory`, with `settings` as its configuration file has them ("appendonly yes").

    It keeps its address through every stop and start, and its data in `directory`/data, if the settings keep any:
    without others it writes nothing to disk. It ends with the thread that started it, however that ends.
    """

    def __init__(
        self,
        directory: Path,
        *settings: str,
        host: str = "127.0.0.1",
        port: int = 0,
        binary: str = "redis-server",
        sentinel: bool = False,
    ) -> None:
        self.host = host
        self.port = port or free_port()
        self._directory = directory
        self._settings = settings
        # The system's goes before what a package brought into a virtual environment.
        self._binary = shutil.which(binary, path=f"/usr/local/bin:/usr/bin:{os.environ.get('PATH', '')}") or binary
        self._sentinel = sentinel
        self._process = ServerProcess(directory / "redis.log")

    @property
    def url(self) -> str:
        """Its address."""
        return f"redis://{self.host}:{self.port}"

    @property
    def pid(self) -> int:
        """The id of its process, which must have been started."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """True if its process lives."""
        return self._process.running

    def start(self) -> None:
        """Start it, and return when it answers, with its data loaded."""
        data = self._directory / "data"
        data.mkdir(parents=True, exist_ok=True)
        config = self._directory / "redis.conf"
        if not config.exists():  # a sentinel, and a replica made by one, write down there what they have learned
            lines = [f"bind {self.host}", f"port {self.port}", f"dir {data}", "daemonize no", *self._settings]
            if self.host != "127.0.0.1":  # in a namespace's network, which nobody else reaches
                lines.append("protected-mode no")
            if not self._sentinel:
                lines[4:4] = ['save ""', "appendonly no"]
            config.write_text("\n".join(lines) + "\n")
        command = [self._binary, str(config), *(["--sentinel"] if self._sentinel else [])]
        self._process.launch(command)
        wait_for(self._answers_or_ended, f"{self._binary} to answer", READY_S)
        if not self.running:
            raise RuntimeError(f"{self._binary} ended: {self._process.last_words()}")

    def stop(self) -> None:
        """End it in order: what it keeps on disk is complete."""
        self._process.end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a power cut would."""
        self._process.end(signal.SIGKILL)

    def pause(self) -> None:
        """Let it stand still, until `resume`."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        os.kill(self.pid, signal.SIGCONT)

    def lose_data(self) -> None:
        """Remove what it has on disk; it must not be running."""
        shutil.rmtree(self._directory / "data")

    def command(self, *words: str, timeout_s: float = 5.0) -> str:
        """Return the answer to a command as it came, for short answers; empty where there was none."""
        with suppress(OSError), socket.create_connection((self.host, self.port), timeout_s) as wire:
            parts = [word.encode() for word in words]
            wire.sendall(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%b\r\n" % (len(part), part) for part in parts))
            return wire.recv(65536).decode(errors="replace")
        return ""

    def _answers_or_ended(self) -> bool:
        return not self.running or self.command("PING", timeout_s=0.5).startswith(("+PONG", "-NOAUTH"))
