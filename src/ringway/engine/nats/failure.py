"""Failed attempts to connect to NATS, and refusals, as errors of Ringway with their remedies."""

import ssl

from ringway.engine.nats.url import NatsUrl
from ringway.engine.tls import tls_error
from ringway.errors import ConfigError, EngineAway, EngineError, EngineUnsuitable

_LOGIN = ("authorization", "authentication", "user revoked", "nkey", "jwt")
_CROWDED = ("connections exceeded", "connections limit")


class ServerRefused(Exception):
    """The server sent an error in place of a greeting, or bytes that NATS never sends; the text quotes them."""


class OffersNoTls(Exception):
    """TLS was demanded, and the server does not offer it."""


class ConnectionEnded(Exception):
    """The connection was established, and has ended; the text says why."""


class WentSilent(ConnectionEnded):
    """The server did not answer any more."""


FAILURES = (ServerRefused, OffersNoTls, ConnectionEnded, ConfigError, OSError)
"""The errors of an attempt to connect; `explain` gives their meaning. A timeout and a TLS error are an `OSError`."""


def explain(error: Exception, where: NatsUrl) -> EngineError:
    """Return `error` of an attempt to connect as an engine error: temporary, or with the remedy for the operator."""
    at = f"NATS at {where}"
    if isinstance(error, EngineError):
        return error
    if isinstance(error, ConfigError):  # a file that is read at each connect
        return EngineUnsuitable(f"{at}: {error}")
    if isinstance(error, ssl.SSLError):
        if where.tls_first and "WRONG_VERSION" in str(error):
            return EngineUnsuitable(f"{at} speaks before the TLS handshake; leave tls_first out of the engine URL")
        return tls_error(error, at, "nats://")
    if isinstance(error, OffersNoTls):
        return EngineUnsuitable(
            f"{at} offers no TLS; give it a certificate (`tls` in its configuration), or begin the engine URL with nats://"
        )
    if isinstance(error, TimeoutError):
        return EngineAway(f"{at} does not answer: {_silence(where)}")
    if isinstance(error, ServerRefused):
        return _refused(str(error), at)
    if isinstance(error, ConnectionEnded):
        return EngineAway(f"the connection to {at} ended ({error}); retry")
    if isinstance(error, (ConnectionResetError, ConnectionAbortedError, BrokenPipeError)):
        return EngineAway(f"{at} ended the connection during the greeting ({error}); {_hung_up(where)}")
    return EngineAway(f"{at} cannot be reached ({error or type(error).__name__}); start one, or correct the URL")


def lacks_right(text: str, where: NatsUrl) -> EngineUnsuitable:
    """Return the error for NATS's report `text` about a subject without the right to publish or subscribe."""
    return EngineUnsuitable(
        f"NATS at {where} refuses us something ({text}); its user needs the rights to publish and to subscribe to "
        "rw.>, $JS.API.>, $KV.> and $JS.EVENT.ADVISORY.>"
    )


def _refused(text: str, at: str) -> EngineError:
    lower = text.lower()
    if any(word in lower for word in _CROWDED):
        return EngineAway(f"{at} takes no more connections ({text}); raise max_connections there")
    if any(word in lower for word in _LOGIN):
        return EngineUnsuitable(
            f"{at} refused us ({text}); check user and password, token, creds or nkey in the engine URL, "
            "and that the account is still valid"
        )
    return EngineUnsuitable(f"{at} refused the connection ({text}); is it a NATS server?")


def _silence(where: NatsUrl) -> str:
    if not where.tls:
        return "it hangs, is no NATS server, or waits for TLS first (tls://...?tls_first=true)"
    if not where.tls_first:
        return "it hangs, or waits for TLS first (?tls_first=true)"
    return "it hangs, has no TLS, or speaks before it (then leave tls_first out of the engine URL)"


def _hung_up(where: NatsUrl) -> str:
    if where.tls and not where.cert_file:
        return "it stops, or wants a certificate of ours (cert_file and key_file)"
    if not where.tls:
        return "it stops, or wants TLS (tls://)"
    return "it stops, or does not take our certificate"
