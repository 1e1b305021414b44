"""A sidecar process: a server beside it, registered at a gateway. Read it from top to bottom."""

from collections.abc import Sequence
from pathlib import Path
from random import Random

import msgspec

from ringway.app.config import Config
from ringway.app.shutdown import stop_signals, unless_stopped
from ringway.app.state import find_running
from ringway.errors import ConfigError
from ringway.logger import get_logger
from ringway.net import configure
from ringway.sidecar.config import JoinConfig
from ringway.sidecar.sidecar import Sidecar

_log = get_logger()


async def run_join(config: Config, url: str, command: Sequence[str], state: Path) -> int:
    """Run the sidecar of the server at `url` until `command` ends or a signal comes; return the exit code.

    Raise `ConfigError` if something cannot work, also if no registration port is named and none is found in `state`.
    """
    configure(config.names)
    sidecar = Sidecar(find_port(config.join, state), url, command, Random())
    with stop_signals(sidecar.hang_up) as stop:
        code = await unless_stopped(stop, sidecar.run())
        if code is None:
            _log.info("stopping", drain=stop.gentle)
            code = await sidecar.stop(gentle=stop.gentle)
            _log.info("stopped", exit_code=code)
        return code


def find_port(config: JoinConfig, state: Path) -> JoinConfig:
    """Return `config` with a registration port: its own, or that of the system that runs from `state`."""
    if config.at:
        return config
    running = find_running(state)
    if running is None or not running.registration_url:
        raise ConfigError(
            f"no registration port is named, and no system with one runs from {state}; give the URL of one with --at "
            "http://gateway:7400, or start a system with `ringway up --nodes 0`"
        )
    own = config.token_file or running.registration_tokens_file
    return msgspec.structs.replace(config, at=(running.registration_url,), token_file=own)
