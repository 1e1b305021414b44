"""Agent check of HAProxy: one TCP connection, one line of words (`core.custom.agent`). `agent://{host}:8888`"""

from ringway.collect.collector import CollectFailed, Facts, check_address, fill, read_source
from ringway.core.custom.agent import Words, parse_line
from ringway.net import connector

LINE_BYTES_MAX = 1024

PORTS = {"agent": None}
"""There is no usual port."""


class AgentCollector:
    """Reads the agent of each node. `send` is written to it first, as a line (HAProxy's `agent-send`)."""

    def __init__(self, url: str, send: str) -> None:
        self._url = check_address(url, PORTS)
        self._send = send

    async def collect(self, node: Facts) -> Words:
        """Return the agent's words."""
        source = read_source(fill(self._url, node), PORTS)
        reader, writer = await connector().streams(source.host, source.port, None, limit=LINE_BYTES_MAX)
        try:
            if self._send:
                writer.write(f"{self._send}\n".encode())
            line = await reader.readline()
        except ValueError:
            raise CollectFailed(f"the agent's line has more than {LINE_BYTES_MAX} bytes") from None
        finally:
            writer.transport.abort()
        try:
            return parse_line(line.decode("ascii", "replace"))
        except ValueError as error:
            raise CollectFailed(str(error)) from None

    async def close(self) -> None:
        """Do nothing: no connection is open."""
