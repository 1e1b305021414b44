"""The cluster's secrets in a running process: read again on SIGHUP, and when their files change.

Secrets that cannot be used (a file is missing, too short, or both are the same) change nothing (`app.reread`).
"""

import time
from collections.abc import Callable

from ringway.app.engine import EngineConfig, read_secrets
from ringway.app.reread import Reread
from ringway.logger import get_logger
from ringway.protocol.keyring import Keyring

_log = get_logger()


class SecretWatch:
    """The secrets of `config`, which `keyring` follows. Raise `ConfigError` if they cannot be used at the start."""

    def __init__(self, config: EngineConfig, clock: Callable[[], float] = time.monotonic) -> None:
        self._config = config
        self._files = Reread(_files_of(config), self._read, "secrets", clock)
        secret, previous = read_secrets(config)
        self.keyring = Keyring(secret, previous)
        if previous:
            self._check_hash_secret()

    @property
    def in_files(self) -> bool:
        """True if a secret is in a file, which can be read again."""
        return self._files.in_files

    async def run(self) -> None:
        """Check the files, until cancelled."""
        await self._files.run()

    def check_files(self) -> None:
        """Read the files if they have changed and are complete; call it again and again."""
        self._files.check_files()

    def on_hangup(self) -> None:
        """Read the files at once, and log the result in any case."""
        if self.in_files:
            self._files.on_hangup()
        else:
            _log.info("SIGHUP changes nothing: no secret is in a file; settings are read at the start")

    def _read(self, cause: str) -> bool:
        """Read the files; return True if a secret has changed."""
        secret, previous = read_secrets(self._config)
        signed = self.keyring.fingerprints[0]
        if not self.keyring.replace(secret, previous):
            return False
        signs, *accepted = self.keyring.fingerprints
        _log.info("the cluster's secrets have changed", cause=cause, signs=signs, accepts=", ".join(accepted))
        if signs != signed:
            self._check_hash_secret()
        return True

    def _check_hash_secret(self) -> None:
        """Warn if a change of the secret sends keys to different nodes."""
        if not (self._config.hash_secret or self._config.hash_secret_file):
            _log.warning(
                "the secret changes, and engine.hash_secret is not set: members that start later place keys elsewhere",
                remedy="set engine.hash_secret on all members to the secret from before the first change",
            )


def _files_of(config: EngineConfig) -> list[str]:
    pairs = (
        (config.secret, config.secret_file),
        (config.previous_secret, config.previous_secret_file),
    )
    return [file for text, file in pairs if file and not text]
