"""INFO, a NATS server's description of itself: in its greeting, and again whenever its cluster changes."""

import msgspec

from ringway.engine.nats.failure import ServerRefused


class NatsInfo(msgspec.Struct, frozen=True):
    """The fields of INFO that Ringway uses; see "INFO" in NATS's client protocol."""

    version: str = ""
    max_payload: int = 1 << 20
    headers: bool = False
    cluster: str = ""
    """The name of the cluster; empty for a single server."""
    nonce: str = ""
    """The text that a client signs with its nkey."""
    tls_required: bool = False
    tls_available: bool = False
    connect_urls: list[str] = []
    """Other servers of the cluster, as host:port."""
    ldm: bool = False
    """True in lame-duck mode: the server is about to stop, and disconnects its clients over some minutes."""


_decode = msgspec.json.Decoder(NatsInfo).decode


def read_info_line(line: bytes) -> NatsInfo:
    """Return the INFO in `line`, which comes without its end. Raise `ServerRefused` for any other line."""
    if not line.startswith(b"INFO "):
        raise ServerRefused("its first line is not INFO")
    try:
        return _decode(line[5:])
    except (msgspec.MsgspecError, ValueError):
        raise ServerRefused("its INFO is not the JSON that NATS sends") from None
