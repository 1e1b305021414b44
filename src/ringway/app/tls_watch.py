"""The certificates of a running process: read again on SIGHUP and when their files change; their expiry is told."""

import asyncio
import time
from collections.abc import Callable, Iterable

from ringway.app.reread import Reread
from ringway.errors import ConfigError
from ringway.logger import get_logger
from ringway.net.tls.server import PortTls

TELL_S = 86_400.0
"""The period in which the log names certificates that are about to expire."""

_log = get_logger()


class TlsWatch:
    """The certificates of `ports`, of which None has no TLS."""

    def __init__(self, ports: Iterable[PortTls | None], clock: Callable[[], float] = time.monotonic) -> None:
        self._ports = [port for port in ports if port is not None]
        files = [file for port in self._ports for file in port.files]
        self._files = Reread(files, self._read, "certificates", clock)

    @property
    def in_files(self) -> bool:
        """True if there are certificates, which can be read again."""
        return self._files.in_files

    def problem(self) -> str:
        """Return what an operator must repair; empty if nothing."""
        return "; ".join(filter(None, (port.problem() for port in self._ports)))

    async def run(self) -> None:
        """Check the files and the dates, until cancelled."""
        await asyncio.gather(self._files.run(), self._tell())

    def check_files(self) -> None:
        """Read the files if they have changed and are complete; call it again and again."""
        self._files.check_files()

    def on_hangup(self) -> None:
        """Read the files at once, and log the result in any case."""
        if self.in_files:
            self._files.on_hangup()

    async def _tell(self) -> None:
        while True:
            if problem := self.problem():
                _log.warning("a certificate needs attention", why=problem)
            await asyncio.sleep(TELL_S)

    def _read(self, cause: str) -> bool:
        """Read the files of all ports; return True if a certificate has changed. Raise `ConfigError` after all."""
        problems: list[str] = []
        changed = False
        for port in self._ports:
            try:
                changed |= port.reread()
            except ConfigError as error:
                problems += error.problems
        if changed:
            _log.info("the certificates have changed", cause=cause)
        if problems:
            raise ConfigError(*problems)
        return changed
