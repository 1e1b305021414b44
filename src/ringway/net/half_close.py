"""Half-closing a connection: nothing more is written to it, and its peer can still be read (RFC 9293, 3.6)."""

import asyncio


def end_stream(transport: asyncio.WriteTransport) -> bool:
    """End what is written to `transport`, behind what still waits; return False where only both ways can be closed.

    That is so with TLS: then the caller closes it. A connection that its peer has just reset is aborted, and its
    protocol is told: asyncio's transports raise `OSError` there, which nobody would expect of a goodbye.
    """
    if not transport.can_write_eof():
        return False
    try:
        transport.write_eof()
    except OSError:
        transport.abort()
    return True
