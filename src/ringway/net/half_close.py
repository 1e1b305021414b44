"""Half-close of a connection: writing ends, and the peer can still be read (RFC 9293, 3.6)."""

import asyncio


def end_stream(transport: asyncio.WriteTransport) -> bool:
    """Half-close `transport` after all buffered bytes; return False if it can only be closed as a whole.

    That is so with TLS: then the caller closes it. A connection that its peer has just reset is aborted, so its
    protocol's `connection_lost` is called: asyncio's transports raise `OSError` there, which callers do not expect.
    """
    if not transport.can_write_eof():
        return False
    try:
        transport.write_eof()
    except OSError:
        transport.abort()
    return True
