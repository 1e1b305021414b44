"""TLS with an engine: the context with the certificates, which may be renewed, and failures with their remedies."""

import os
import ssl
from pathlib import Path

from ringway.errors import ConfigError, EngineUnsuitable
from ringway.file_identity import identify_files
from ringway.logger import get_logger

_EXPIRED, _NOT_YET = 10, 9
_WRONG_NAME = (62, 64)
"""Codes of X509_verify_cert(3): a different host name, a different address."""

TRUST = (
    "give the certificate of the authority that signed it as ca_file (?ca_file=/path behind the engine URL, or "
    "engine.ca_file), or as SSL_CERT_FILE"
)
SHOW_OURS = "it wants a certificate of ours that it trusts: give cert_file and key_file"

_log = get_logger()


def make_context(ca_file: str = "", cert_file: str = "", key_file: str = "") -> ssl.SSLContext:
    """Return a TLS context with the trusted authorities and a client certificate. Raise `ConfigError` for a bad file.

    Without `ca_file` it trusts the authorities of the system, or those of SSL_CERT_FILE and SSL_CERT_DIR.
    """
    if key_file and not cert_file:
        raise ConfigError("the engine is given key_file without cert_file; give both")
    given = os.environ.get("SSL_CERT_FILE", "")
    if given and not ca_file and not Path(given).is_file():
        raise ConfigError(f"SSL_CERT_FILE is {given!r}, which is no file; correct it, or give ca_file")
    used = ca_file
    try:
        context = ssl.create_default_context(cafile=ca_file or None)
        if cert_file:
            used = ", ".join(filter(None, (cert_file, key_file)))
            # Without this password function, OpenSSL would ask for a passphrase on the terminal.
            context.load_cert_chain(cert_file, key_file or None, password=lambda: "")
    except (OSError, ssl.SSLError, ValueError) as error:
        raise ConfigError(
            f"a certificate for the engine cannot be used ({used}: {error}); "
            "give PEM files that this user can read, and a key without a passphrase"
        ) from None
    return context


class TlsFiles:
    """The files of a URL's TLS, and their context. Raise `ConfigError` if they cannot be used at the start."""

    def __init__(self, ca_file: str = "", cert_file: str = "", key_file: str = "") -> None:
        self._files = (ca_file, cert_file, key_file)
        self._paths = [file for file in (ca_file or os.environ.get("SSL_CERT_FILE", ""), cert_file, key_file) if file]
        self._identity = identify_files(self._paths)
        self._context = make_context(*self._files)

    def context(self) -> ssl.SSLContext:
        """Return the context for the next connect: a new one if the files have changed.

        If they cannot be used, the last good context stays in use, and the log says so once for each change.
        """
        identity = identify_files(self._paths)
        if identity != self._identity:
            self._identity = identity
            try:
                self._context = make_context(*self._files)
            except ConfigError as error:
                _log.warning("the last good certificates stay in use", why=str(error))
        return self._context


def tls_error(error: ssl.SSLError, where: str, plain_form: str) -> EngineUnsuitable:
    """Return the error for a failed TLS handshake with `where`; `plain_form` is the beginning of a URL without TLS."""
    return EngineUnsuitable(f"TLS with {where} failed ({_words(error)}); {_remedy(error, plain_form)}")


def _words(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate verify failed: {error.verify_message}"
    # Only errors that come from OpenSSL have a reason.
    return getattr(error, "reason", None) or str(error) or type(error).__name__


def _remedy(error: ssl.SSLError, plain_form: str) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        if error.verify_code == _EXPIRED:
            return "renew the server's certificate, or set this machine's clock"
        if error.verify_code == _NOT_YET:
            return "the server's certificate is not valid yet: set the clocks right"
        if error.verify_code in _WRONG_NAME:
            return "name the server in the engine URL as its certificate does, or have that name added to it"
        return TRUST
    reason = _words(error).upper().replace(" ", "_")
    if "ALERT" in reason or "CERTIFICATE_REQUIRED" in reason:
        if "PROTOCOL_VERSION" in reason:
            return "allow the server TLS 1.2 or newer"
        return SHOW_OURS
    if any(word in reason for word in ("WRONG_VERSION_NUMBER", "RECORD_LAYER", "UNKNOWN_PROTOCOL", "PACKET_LENGTH")):
        return f"that is no TLS: give its port for TLS, or begin the engine URL with {plain_form} where it has none"
    return "check the certificates, and that this is its port for TLS"
