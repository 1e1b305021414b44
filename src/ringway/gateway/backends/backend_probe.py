"""Probe of a backend, made once: it accepts a connection, or answers a GET of its check with a status of 2xx."""

import asyncio
import socket
import ssl

from ringway.gateway.proxy.upstream_tls import UpstreamTls
from ringway.net import connector
from ringway.net.http_get import AnswerNotHttp, open_get, read_status
from ringway.protocol.backend import Backend

_STATUS_BYTES_MAX = 4096


class BackendProbe:
    """Probes backends, each within `timeout_s`."""

    def __init__(self, timeout_s: float, tls: UpstreamTls) -> None:
        self._timeout_s = timeout_s
        self._tls = tls

    async def check(self, backend: Backend) -> tuple[str, str]:
        """Check `backend` once; return the problem in public words, and the details. Empty: it passed."""
        try:
            return await self._probe(backend), ""
        except TimeoutError:
            return f"no answer within {self._timeout_s:g} s", ""
        except socket.gaierror as error:
            return "its name cannot be looked up", str(error)
        except ssl.SSLError as error:
            return "it cannot be reached by TLS", str(error)
        except (OSError, ValueError) as error:
            return "it does not accept connections", str(error) or type(error).__name__

    async def _probe(self, backend: Backend) -> str:
        address = backend.address
        tls = self._tls.context() if address.tls else None
        within_s = self._timeout_s
        if not backend.check:
            _, writer = await connector().streams(
                address.host, address.port, within_s, ssl=tls, tls_name=address.tls_name
            )
            writer.transport.abort()
            return ""
        deadline = asyncio.get_running_loop().time() + within_s
        async with open_get(
            address.host,
            address.port,
            backend.check,
            backend.checked_as,
            headers=(("User-Agent", "ringway"),),
            ssl=tls,
            tls_name=address.tls_name,
            timeout_s=within_s,
            limit=_STATUS_BYTES_MAX,
        ) as reader:
            try:
                async with asyncio.timeout_at(deadline):
                    status = await read_status(reader)
            except AnswerNotHttp:
                return "the answer to the check is not HTTP"
        return "" if 200 <= status < 300 else f"the check answered {status}"
