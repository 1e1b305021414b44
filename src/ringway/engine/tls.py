"""Failures of TLS with an engine, with their remedies. The context is that of `net.tls.client`."""

import ssl

from ringway.errors import EngineUnsuitable

_EXPIRED, _NOT_YET = 10, 9
_WRONG_NAME = (62, 64)
"""Codes of X509_verify_cert(3): a different host name, a different address."""

TRUST = (
    "give the certificate of the authority that signed it as ca_file (?ca_file=/path behind the engine URL, or "
    "engine.ca_file), or as SSL_CERT_FILE"
)
SHOW_OURS = "it wants a certificate of ours that it trusts: give cert_file and key_file"


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
