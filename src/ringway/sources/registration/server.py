"""The registration port as a server."""

from ringway.api.limits import PortLimits
from ringway.api.server import ApiServer
from ringway.api.token_file import TokenFile, read_tokens
from ringway.errors import ConfigError
from ringway.net.listening import reaches_others
from ringway.sources.registration.api import BODY_BYTES_MAX, build_registration_api
from ringway.sources.registration.config import RegistrationConfig
from ringway.sources.registration.source import RegistrationSource


class RegistrationServer(ApiServer):
    """The registration port of `config`, whose `port` is set. The constructor binds it and reads the tokens.

    Raise `ConfigError` if the port is in use, or if other machines can reach it and there are no tokens.
    """

    def __init__(self, config: RegistrationConfig) -> None:
        self._tokens = TokenFile(config.tokens_file) if config.tokens_file else None
        limits = PortLimits(
            port="registration port",
            section="registration",
            connections_max=config.connections_max,
            request_deadline_s=config.request_deadline_s,
            tcp_keepalive_s=config.tcp_keepalive_s,
            body_bytes_max=BODY_BYTES_MAX,
        )
        super().__init__(config.host, config.port or 0, limits, config)
        if self._tokens is None and not self.on_loopback:
            self.unbind()
            raise _unguarded(config)

    async def serve(self, source: RegistrationSource, version: str) -> None:
        """Answer requests about `source`, until cancelled."""
        await self.run(build_registration_api(source, self._tokens, version, on_loopback=self.on_loopback))


def check_guard(config: RegistrationConfig) -> None:
    """Raise `ConfigError` for what the constructor of the server would refuse, as far as the settings show it.

    Only the start knows the addresses of a name.
    """
    if config.tokens_file:
        read_tokens(config.tokens_file)
    elif reaches_others(config.host):
        raise _unguarded(config)


def _unguarded(config: RegistrationConfig) -> ConfigError:
    return ConfigError(
        f"registration.host is {config.host}, which other machines reach, and there is no registration.tokens_file: "
        "everybody could register backends; name a file of tokens, or listen on 127.0.0.1"
    )
