"""The cluster's secrets in a running process: read again on SIGHUP, and when their files change.

Secrets that cannot be used (a file is missing, too short, or both are the same) change nothing: the last good secrets
stay in use, and the log says so once, after the time that a person needs to write two files.
"""

import asyncio
import time
from collections.abc import Callable

from ringway.app.engine import EngineConfig, read_secrets
from ringway.errors import ConfigError
from ringway.file_watch import FileWatch
from ringway.logger import get_logger
from ringway.protocol.keyring import Keyring

POLL_S = 1.0
"""The period of the checks for changed files."""

PATIENCE_S = 10.0
"""How long secrets may be unusable before the log says so: two files are not written at the same moment."""

_log = get_logger()


class SecretWatch:
    """The secrets of `config`, which `keyring` follows. Raise `ConfigError` if they cannot be used at the start."""

    def __init__(self, config: EngineConfig, clock: Callable[[], float] = time.monotonic) -> None:
        self._config = config
        self._clock = clock
        self._paths = _files_of(config)
        self._files = FileWatch(self._paths)
        secret, previous = read_secrets(config)
        self.keyring = Keyring(secret, previous)
        self._problem = ""
        self._problem_since = 0.0
        self._told = ""
        if previous:
            self._check_hash_secret()

    @property
    def in_files(self) -> bool:
        """True if a secret is in a file, which can be read again."""
        return bool(self._paths)

    async def run(self) -> None:
        """Check the files, until cancelled."""
        while True:
            await asyncio.sleep(POLL_S)
            self.check_files()

    def check_files(self) -> None:
        """Read the files if they have changed and are complete; call it again and again."""
        now = self._clock()
        if self._files.is_at_rest(now) and (self._files.changed or self._problem):
            self._read(now, PATIENCE_S, "a change of the files")

    def on_hangup(self) -> None:
        """Read the files at once, and log the result in any case."""
        if not self._paths:
            _log.info("SIGHUP changes nothing: no secret is in a file; settings are read at the start")
            return
        generation, self._told = self.keyring.generation, ""
        self._read(self._clock(), 0.0, "SIGHUP")
        if not self._problem and self.keyring.generation == generation:
            _log.info("SIGHUP: the files of the secrets have not changed; settings are read at the start")

    def _read(self, now: float, patience_s: float, cause: str) -> None:
        self._files.accept()
        try:
            secret, previous = read_secrets(self._config)
        except ConfigError as error:
            self._on_unusable(str(error), now, patience_s, cause)
            return
        if self._told:
            _log.info("the files of the secrets can be used again")
        self._problem = self._told = ""
        signed = self.keyring.fingerprints[0]
        if not self.keyring.replace(secret, previous):
            return
        signs, *accepted = self.keyring.fingerprints
        _log.info("the cluster's secrets have changed", cause=cause, signs=signs, accepts=", ".join(accepted))
        if signs != signed:
            self._check_hash_secret()

    def _on_unusable(self, problem: str, now: float, patience_s: float, cause: str) -> None:
        if not self._problem:
            self._problem_since = now
        self._problem = problem
        if problem != self._told and now - self._problem_since >= patience_s:
            self._told = problem
            _log.warning("the last good secrets stay in use", cause=cause, why=problem)

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
