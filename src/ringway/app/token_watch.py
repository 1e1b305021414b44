"""The keys of tokens in a running process: their files are read again on SIGHUP and when they change, and their key
sets in the background.
"""

import asyncio
import time
from collections.abc import Callable
from random import Random
from typing import Protocol

from ringway.app.config import Config
from ringway.app.reread import Reread
from ringway.app.secret_watch import SecretWatch
from ringway.auth.verifier import TokenVerifier, make_verifier
from ringway.logger import get_logger

_log = get_logger()


class ReadFromFiles(Protocol):
    """What is read from files, and again on SIGHUP."""

    @property
    def in_files(self) -> bool:
        """True if there is a file."""

    def on_hangup(self) -> None:
        """Read the files at once, and log the result in any case."""


class TokenWatch:
    """The verifier of `config`, whose keys are kept fresh; `verifier` is None without keys, or if it is not `wanted`.

    Raise `ConfigError` with every key that cannot be used at the start.
    """

    def __init__(
        self, config: Config, rng: Random, clock: Callable[[], float] = time.monotonic, *, wanted: bool = True
    ) -> None:
        self.verifier: TokenVerifier | None = (
            make_verifier(config.token, config.subscription_token, rng, clock) if wanted else None
        )
        self._files = Reread(self.verifier.files if self.verifier else (), self._read, "keys of tokens", clock)

    @property
    def in_files(self) -> bool:
        """True if a key is in a file, which can be read again."""
        return self._files.in_files

    async def run(self) -> None:
        """Keep the keys fresh, until cancelled."""
        if self.verifier is None:
            await asyncio.Event().wait()
        else:
            await asyncio.gather(self._files.run(), self.verifier.run())

    def check_files(self) -> None:
        """Read the files if they have changed and are complete; call it again and again."""
        self._files.check_files()

    def on_hangup(self) -> None:
        """Read the files at once, and log the result in any case."""
        self._files.on_hangup()

    def _read(self, cause: str) -> bool:
        """Read the files; return True if a key has changed."""
        changed = self.verifier is not None and self.verifier.reread_keys()
        if changed:
            _log.info("the keys of tokens have changed", cause=cause)
        return changed


def reread_on_hangup(secrets: SecretWatch, *others: ReadFromFiles) -> None:
    """On SIGHUP, have `secrets` and `others` read again; `secrets` logs it if nothing is in a file."""
    if secrets.in_files or not any(other.in_files for other in others):
        secrets.on_hangup()
    for other in others:
        if other.in_files:
            other.on_hangup()
