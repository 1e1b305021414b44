"""The registration port of the system that `ringway up` runs: its port and its token."""

from pathlib import Path

import msgspec

from ringway.app.near_ports import NearPorts
from ringway.app.state import keep_secret
from ringway.net.listening import reachable
from ringway.sources.registration.config import RegistrationConfig

FIRST_PORT = 7400
TOKENS = "registration-tokens"
REGISTRATION_PORT = "RINGWAY_REGISTRATION_PORT"


class RegistrationPort:
    """The settings of the port: a free port near 7400 if they name no port, and a file of tokens in `directory`."""

    def __init__(self, config: RegistrationConfig, directory: Path) -> None:
        self._near = None if config.port else NearPorts(config.host, FIRST_PORT, REGISTRATION_PORT)
        tokens_file = config.tokens_file
        if not tokens_file:
            keep_secret(directory, TOKENS)
            tokens_file = str(directory / TOKENS)
        port = config.port if self._near is None else self._near.take() or None
        self.config = msgspec.structs.replace(config, port=port, tokens_file=str(Path(tokens_file).absolute()))

    def make_way(self, environ: dict[str, str]) -> bool:
        """Give the gateway with `environ` a new port if the port that was chosen is taken; return true if so."""
        if self._near is None or not self._near.make_way(environ):
            return False
        port = int(environ[REGISTRATION_PORT]) or None
        environ[REGISTRATION_PORT] = str(port or "")
        self.config = msgspec.structs.replace(self.config, port=port)
        return True


def registration_url(config: RegistrationConfig) -> str:
    """Return the URL of the port; empty if there is no port."""
    return f"http://{reachable(config.host)}:{config.port}" if config.port else ""
