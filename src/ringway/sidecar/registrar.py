"""Client of the registration API: asks the gateways in turn until a gateway answers."""

import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode

import msgspec

from ringway.errors import ConfigError, ProtocolError, RingwayError
from ringway.net.http_get import HttpAnswer, HttpAnswerError, ask_api, why_unanswered
from ringway.protocol.address import read_url
from ringway.protocol.decoding import reader
from ringway.protocol.registration import BackendRow, BackendState, DrainOrder, Granted, Refused, Renewal, Renewed
from ringway.sidecar.config import PORTS

TIMEOUT_S = 3.0
"""The time in which a gateway must answer; then the next one is asked."""

ANSWER_BYTES_MAX = 65_536
TOKEN_BYTES_MAX = 65_536

T = TypeVar("T")

_read_granted = reader(msgspec.json.Decoder(Granted).decode, "the answer to a registration")
_read_row = reader(msgspec.json.Decoder(BackendRow).decode, "the answer about a backend")
_read_renewed = reader(msgspec.json.Decoder(Renewed).decode, "the answer to a renewal")
_read_state = reader(msgspec.json.Decoder(BackendState).decode, "the answer to a drain")
_read_refused = reader(msgspec.json.Decoder(Refused).decode, "an error answer")


class RegistrarAway(RingwayError):
    """No registration port answers."""


class RegistrarRefused(RingwayError):
    """The registration port refused a request. `wait_s` is when it may succeed; 0: unknown."""

    def __init__(self, status: int, refused: Refused) -> None:
        self.status = status
        self.wait_s = refused.retry_after_s
        super().__init__("; ".join(filter(None, (refused.error, refused.rule, refused.remedy))))


class Registrar:
    """Registers at the first of `urls` that answers, and stays there while it does."""

    def __init__(self, urls: Sequence[str], token_file: str) -> None:
        self._urls = list(urls)
        self._token_file = token_file
        self._tls = ssl.create_default_context() if any(url.startswith("https:") for url in urls) else None

    @property
    def at(self) -> str:
        """The registration port that is asked first."""
        return self._urls[0]

    async def register(self, name: str, fields: dict[str, Any]) -> Granted:
        """Register a backend. All calls raise `RegistrarAway`, or `RegistrarRefused`."""
        return _read_granted(await self._call("PUT", f"/v1/backends/{name}", msgspec.json.encode(fields)))

    async def find(self, name: str) -> BackendRow:
        """Return the registration of a backend."""
        return _read_row(await self._call("GET", f"/v1/backends/{name}"))

    async def renew(self, name: str, incarnation: str) -> Renewed:
        """Renew the lease of a backend."""
        body = msgspec.json.encode(Renewal(incarnation=incarnation))
        return _read_renewed(await self._call("POST", f"/v1/backends/{name}/renew", body))

    async def drain(self, name: str, order: DrainOrder) -> BackendState:
        """Ask for the connections of a backend to be led away."""
        return _read_state(await self._call("POST", f"/v1/backends/{name}/drain", msgspec.json.encode(order)))

    async def leave(self, name: str, incarnation: str, *, gone: bool) -> None:
        """End a registration; `gone` if the server does not run any more."""
        query = urlencode({"incarnation": incarnation, "gone": "true" if gone else "false"})
        await self._call("DELETE", f"/v1/backends/{name}?{query}")

    async def _call(self, method: str, target: str, body: bytes = b"") -> bytes:
        """Return the body of the answer, by the first gateway that answers."""
        problems = []
        for _ in range(len(self._urls)):
            url = self._urls[0]
            try:
                return await self._ask(url, method, target, body)
            except (OSError, TimeoutError, HttpAnswerError, ProtocolError) as error:
                problems.append(f"{url}: {why_unanswered(error, TIMEOUT_S)}")
                self._urls.append(self._urls.pop(0))
        raise RegistrarAway(f"no registration port answers ({'; '.join(problems)})")

    async def _ask(self, url: str, method: str, target: str, body: bytes) -> bytes:
        answer = await ask_api(
            method,
            read_url(url, PORTS, "write http://host:port"),
            target,
            body,
            headers=self._authorization(),
            timeout_s=TIMEOUT_S,
            bytes_max=ANSWER_BYTES_MAX,
            ssl=self._tls,
        )
        if answer.status >= 300:
            raise RegistrarRefused(answer.status, _refusal_in(answer))
        return answer.body

    def _authorization(self) -> list[tuple[str, str]]:
        return [("Authorization", f"Bearer {read_token(self._token_file)}")] if self._token_file else []


def read_token(path: str) -> str:
    """Return the first line of a token file that is no comment; raise `ConfigError` if there is none."""
    try:
        with Path(path).open("rb") as file:
            lines = [line.strip() for line in file.read(TOKEN_BYTES_MAX).splitlines()]
    except OSError as error:
        raise ConfigError(f"the token file {path} cannot be read ({error.strerror}); correct --token-file") from None
    token = next((line for line in lines if line and not line.startswith(b"#")), b"")
    if not token or not all(33 <= byte <= 126 for byte in token):
        raise ConfigError(f"the token file {path} has no token; write one into it, in visible ASCII characters")
    return token.decode("ascii")


def _refusal_in(answer: HttpAnswer) -> Refused:
    """Return the refusal in an error answer. Raise `ProtocolError` if it does not come from a registration port."""
    refused = _read_refused(answer.body)
    if answer.status == 503 and not refused.rule:
        raise ProtocolError(1011, refused.error)  # this port has no room for a connection
    return refused
