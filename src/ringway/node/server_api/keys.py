"""API keys: which callers of the server API are admitted."""

from ringway.api.guard import guard_changes, host_guard
from ringway.api.operation import ApiRefusal, ApiRequest, Guard
from ringway.api.token_file import TokenFile, is_among, is_usable, read_tokens, rule_of
from ringway.errors import ConfigError
from ringway.net.listening import reaches_others
from ringway.node.config.http_api import HttpApiConfig
from ringway.protocol.server_api import KEY_HEADER

WHAT = "API key"
PORT, SECTION = "server API's port", "http_api"
"""What the port and its section of settings are called."""


class ApiKeys:
    """The keys of `config`; raise `ConfigError` if one cannot be used."""

    def __init__(self, config: HttpApiConfig) -> None:
        self._file = TokenFile(config.key_file, WHAT) if config.key_file else None
        self._keys = _read_key(config.key)

    def admits(self, key: str) -> bool:
        """Return True if `key` is one of the keys. All are compared, in constant time."""
        in_file = self._file.admits(key) if self._file is not None else False
        return is_among(key, self._keys) or in_file


def check_keys(config: HttpApiConfig) -> None:
    """Raise `ConfigError` for what the start of the port would refuse, as far as the settings show it.

    Only the start knows the addresses of a name.
    """
    _read_key(config.key)
    if config.key_file:
        read_tokens(config.key_file, WHAT)
    if not config.insecure and not (config.key or config.key_file):
        raise ConfigError(
            "http_api.port is set, and there is no key: nobody could call; give http_api.key_file or http_api.key, or "
            "http_api.insecure on loopback"
        )
    if reaches_others(config.host):
        check_reach(config, on_loopback=False)


def check_reach(config: HttpApiConfig, *, on_loopback: bool) -> None:
    """Raise `ConfigError` if other machines can reach the port, and no key is needed."""
    if config.insecure and not on_loopback:
        raise ConfigError(
            f"http_api.host is {config.host}, which other machines reach, and http_api.insecure needs no key: everybody"
            " could publish; give http_api.key_file in its place, or listen on 127.0.0.1"
        )


def make_guards(config: HttpApiConfig, keys: ApiKeys, document: str) -> tuple[Guard, ...]:
    """Return the guards of the port. The OpenAPI document at the path `document` needs no key.

    A browser asks for permission before it sends a key for a page, and gets none. Without a key pages are refused.
    """
    if config.insecure:
        return host_guard((), PORT, SECTION), _guard_pages

    def guard_key(request: ApiRequest) -> None:
        if request.path == document:
            return
        key = _key_in(request)
        if not key:
            raise ApiRefusal(401, "the request has no API key; send the header X-API-Key")
        if not keys.admits(key):
            raise ApiRefusal(401, "the API key is not known; use one of http_api.key_file, or http_api.key")

    return (guard_key,)


def _key_in(request: ApiRequest) -> str:
    key = request.headers.get(KEY_HEADER, "").strip()
    if key:
        return key
    scheme, _, rest = request.headers.get("authorization", "").partition(" ")
    return rest.strip() if scheme.lower() == "apikey" else ""


def _guard_pages(request: ApiRequest) -> None:
    if request.method not in ("GET", "OPTIONS"):
        guard_changes(request)


def _read_key(key: str) -> tuple[bytes, ...]:
    if not key:
        return ()
    if not is_usable(key.encode(errors="replace")):
        raise ConfigError(f"http_api.key is no {WHAT}; {rule_of(WHAT)}")
    return (key.encode(),)
