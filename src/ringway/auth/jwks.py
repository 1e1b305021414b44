"""JWKS endpoint: where an issuer publishes its keys, read in the background and, within bounds, when a key is unknown.

    a token with a known kid      checked at once, by the keys of the last answer
    a token with an unknown kid   one read for all who wait, at most one in `jwks_interval_s`; then it is refused
    the endpoint is away          the last keys stay in use for `jwks_stale_s`

One read is under way at a time, with a deadline, a bound of bytes and a bound of keys. Redirects are not followed. The
URL comes from the settings alone: nothing in a token leads anywhere.
"""

import asyncio
import ssl
import time
from collections.abc import Callable
from random import Random

from ringway.auth.config import JWKS_FORM, JWKS_PORTS, TokenRulesConfig
from ringway.auth.key import TokenKey, check_cryptography
from ringway.auth.key_set import SET_BYTES_MAX, Keys, KeySetUnusable, read_key_set
from ringway.errors import ConfigError
from ringway.logger import get_logger
from ringway.net.http_get import HttpAnswerError, ask_api, why_unanswered
from ringway.protocol.address import read_url, shown
from ringway.protocol.host import is_loopback
from ringway.tasks import Tasks

JITTER = 0.2

_log = get_logger()


class JwksEndpoint:
    """The keys at the endpoint of the settings `section`. Its owner runs `run`, and closes it.

    Raise `ConfigError` if the settings cannot be used; nothing is asked before `run` or `fetch`.
    """

    def __init__(
        self, section: str, config: TokenRulesConfig, rng: Random, clock: Callable[[], float] = time.monotonic
    ) -> None:
        name = f"{section}.jwks_public_endpoint"
        check_cryptography(name)
        self._config = config
        self._rng = rng
        self._clock = clock
        self._url = read_url(config.jwks_public_endpoint, JWKS_PORTS, JWKS_FORM)
        if self._url.scheme == "http" and not (is_loopback(self._url.host) or config.jwks_plain_http):
            raise ConfigError(
                f"{name} is {shown(config.jwks_public_endpoint)!r}: over http, whoever is on the way can put keys in; "
                f"give https, or set {section}.jwks_plain_http if the network between is trusted"
            )
        self._tls = _read_tls(section, config) if self._url.scheme == "https" else None
        self._keys: Keys = {}
        self._fetched_at = self._asked_at = float("-inf")
        self._reading: asyncio.Task[None] | None = None
        self._tasks = Tasks()
        self._told = ""
        self._failures = 0

    def keys_of(self, kid: str) -> tuple[TokenKey, ...]:
        """Return the keys named `kid`; empty if it is unknown, or if the last answer is too old."""
        if self._clock() - self._fetched_at > self._config.jwks_stale_s + self._config.jwks_refresh_s:
            return ()
        return self._keys.get(kid, ())

    @property
    def may_fetch(self) -> bool:
        """True if `fetch` would read the set now, or a read is under way."""
        return self._reading is not None or self._clock() - self._asked_at >= self._config.jwks_interval_s

    async def fetch(self) -> None:
        """Read the set, unless the last read began less than `jwks_interval_s` ago; all who call share one read.

        Returns in any case; `keys_of` says what is known then. A caller that is cancelled ends the read for nobody.
        """
        if self._reading is None:
            if not self.may_fetch:
                return
            self._asked_at = self._clock()
            self._reading = self._tasks.spawn(self._read(), name="keys of tokens")
        await asyncio.shield(self._reading)

    async def run(self) -> None:
        """Read the set now and again and again, until cancelled."""
        while True:
            await self.fetch()
            pause_s = self._config.jwks_interval_s if self._told else self._config.jwks_refresh_s
            await asyncio.sleep(pause_s * self._rng.uniform(1 - JITTER, 1 + JITTER))

    async def close(self) -> None:
        """End a read that is under way."""
        await self._tasks.aclose()

    async def _read(self) -> None:
        url, timeout_s = self._url, self._config.jwks_timeout_s
        target = (url.path or "/") + (f"?{url.query}" if url.query else "")
        try:
            answer = await ask_api("GET", url, target, timeout_s=timeout_s, bytes_max=SET_BYTES_MAX, ssl=self._tls)
            if answer.status != 200:
                raise KeySetUnusable(f"it answered {answer.status}")  # noqa: TRY301
            keys, passed_over = read_key_set(answer.body)
        except (OSError, TimeoutError, HttpAnswerError) as error:
            self._report(why_unanswered(error, timeout_s))
        except KeySetUnusable as error:
            self._report(str(error))
        else:
            self._replace(keys, passed_over)
        finally:
            self._reading = None

    def _replace(self, keys: Keys, passed_over: list[str]) -> None:
        if keys.keys() != self._keys.keys():
            names = ", ".join(sorted(keys))
            _log.info("the keys of tokens were read", url=self._shown, keys=names, passed_over="; ".join(passed_over))
        elif self._told:
            _log.info("the keys of tokens can be read again", url=self._shown)
        self._keys, self._fetched_at, self._told = keys, self._clock(), ""

    def _report(self, why: str) -> None:
        """Log the first failure in a row, and each with a new reason."""
        if why != self._told:
            stay = "the last good keys stay in use" if self._keys else "no key was read yet: tokens of it are refused"
            _log.warning(f"the keys of tokens cannot be read; {stay}", url=self._shown, why=why)
        self._told = why

    @property
    def _shown(self) -> str:
        return shown(self._config.jwks_public_endpoint)


def _read_tls(section: str, config: TokenRulesConfig) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=config.jwks_ca_file or None)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            f"{section}.jwks_ca_file is {config.jwks_ca_file}, which cannot be read as PEM ({error}); correct it"
        ) from None
