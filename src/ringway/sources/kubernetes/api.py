"""The Kubernetes API, as far as EndpointSlices are concerned: a list, and a watch of what changes after it.

The API's concepts (kubernetes.io, "Kubernetes API Concepts"): a list has a version, and a watch from a version sends
every change after it, a JSON object a line. Bookmarks give a newer version without a change. The API remembers versions
for some minutes; a watch from an older one is answered 410 Gone, and begins anew with a list.
"""

import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlencode

import msgspec

from ringway.errors import ConfigError, RingwayError
from ringway.net.http_get import ArrivingAnswer, open_get
from ringway.protocol.address import authority, bracketed, read_url
from ringway.sources.kubernetes.config import API_PORTS, KubernetesConfig
from ringway.sources.kubernetes.service import KubernetesService
from ringway.sources.kubernetes.slices import EndpointSlice, ObjectMeta

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")

ANSWER_BYTES_MAX = 64 << 20
"""The size of a page of a list: 200 slices of at most a thousand endpoints."""

EVENT_BYTES_MAX = 4 << 20
"""The size of one event of a watch; the API stores no object above 1.5 MiB."""

PAGE = 200
RETRY_AFTER_MAX_S = 60.0


class ApiFailed(RingwayError):
    """The API cannot be used now; the text names cause and remedy. `wait_s` is how long the API asks to stay away."""

    def __init__(self, message: str, wait_s: float = 0.0) -> None:
        self.wait_s = wait_s
        super().__init__(message)


class VersionGone(RingwayError):
    """The version to watch from is older than the API remembers; list again."""


class WatchEvent(msgspec.Struct, frozen=True):
    """One change: ADDED, MODIFIED, DELETED; or BOOKMARK, ERROR."""

    type: str
    object: msgspec.Raw


class SliceList(msgspec.Struct, frozen=True):
    """A list of slices, or a page of it."""

    metadata: ObjectMeta
    items: list[EndpointSlice] | None = None


class _Status(msgspec.Struct, frozen=True):
    """The API's description of an error."""

    message: str = ""
    reason: str = ""
    code: int = 0


class _Bookmark(msgspec.Struct, frozen=True):
    metadata: ObjectMeta


def own_namespace() -> str:
    """Return the namespace that this process runs in; empty outside of Kubernetes."""
    try:
        return (SERVICE_ACCOUNT / "namespace").read_text().strip()
    except OSError:
        return ""


class KubernetesApi:
    """The EndpointSlices of one Service, by the API.

    Raise `ConfigError` if no API is named and this process runs in no pod. Methods raise `ApiFailed`, `VersionGone`,
    the errors of `net.http_get`, `OSError`, and `msgspec.DecodeError`.
    """

    def __init__(self, service: KubernetesService, config: KubernetesConfig, environ: Mapping[str, str]) -> None:
        self._service = service
        self._watch_s = config.watch_s
        url = config.api_url or _own_api(environ, service.source)
        parts = read_url(url, API_PORTS, "write https://host:port")
        self._host, self._port, self._tls = parts.host, parts.port, parts.scheme == "https"
        self._authority = authority(parts.host, parts.port, API_PORTS[parts.scheme])
        self._token_file, self._ca_file = config.token_file, config.ca_file
        if not config.api_url:
            self._token_file = config.token_file or str(SERVICE_ACCOUNT / "token")
            self._ca_file = config.ca_file or str(SERVICE_ACCOUNT / "ca.crt")
        self._path = f"{parts.path.rstrip('/')}/apis/discovery.k8s.io/v1/namespaces/{service.namespace}/endpointslices"
        self._selector = f"kubernetes.io/service-name={service.name}"

    async def list_slices(self) -> tuple[list[EndpointSlice], str]:
        """Return all slices of the Service, and the version to watch from."""
        slices: list[EndpointSlice] = []
        continue_ = ""
        while True:
            query = {"limit": str(PAGE)} | ({"continue": continue_} if continue_ else {})
            async with self._open(query) as answer:
                while answer.size <= ANSWER_BYTES_MAX and await answer.read_more():
                    pass
                if answer.size > ANSWER_BYTES_MAX:
                    raise ApiFailed(f"the list of slices has more than {ANSWER_BYTES_MAX} bytes")
                page = msgspec.json.decode(answer.take_body(), type=SliceList)
            slices += page.items or ()
            continue_ = page.metadata.continue_ or ""
            if not continue_:
                return slices, page.metadata.resource_version

    @asynccontextmanager
    async def watch(self, version: str) -> AsyncIterator[AsyncIterator[WatchEvent]]:
        """Open a watch of all changes after `version`; the iterator ends when the API ends the watch."""
        query = {
            "watch": "1",
            "resourceVersion": version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(self._watch_s),
        }
        async with self._open(query) as answer:
            yield _events(answer)

    @asynccontextmanager
    async def _open(self, query: Mapping[str, str]) -> AsyncIterator[ArrivingAnswer]:
        headers = [("Accept", "application/json"), ("User-Agent", "ringway")]
        if self._token_file:
            headers.append(("Authorization", f"Bearer {_read_token(self._token_file)}"))
        context = ssl.create_default_context(cafile=self._ca_file or None) if self._tls else None
        target = f"{self._path}?{urlencode({'labelSelector': self._selector, **query})}"
        async with open_get(self._host, self._port, target, self._authority, headers=headers, ssl=context) as reader:
            answer = ArrivingAnswer(reader)
            status = await answer.read_head()
            if status != HTTPStatus.OK:
                await self._refuse(status, answer)
            yield answer

    async def _refuse(self, status: int, answer: ArrivingAnswer) -> None:
        while answer.size <= EVENT_BYTES_MAX and await answer.read_more():
            pass
        try:
            said = msgspec.json.decode(answer.take_body(), type=_Status).message
        except msgspec.DecodeError:
            said = ""
        if status == HTTPStatus.GONE:
            raise VersionGone(said)
        words = f"the Kubernetes API answers {status}" + (f" ({said})" if said else "")
        raise ApiFailed(words + self._remedy(status), _retry_after(answer.headers))

    def _remedy(self, status: int) -> str:
        namespace = self._service.namespace
        if status == HTTPStatus.FORBIDDEN:
            return (
                f": give the gateway's service account a Role in namespace {namespace} with apiGroups "
                '["discovery.k8s.io"], resources ["endpointslices"], verbs ["list", "watch"], by a RoleBinding '
                "(docs/howto/kubernetes-backends.md)"
            )
        if status == HTTPStatus.UNAUTHORIZED:
            return f": the token in {self._token_file or 'kubernetes.token_file, which is not given,'} is not accepted"
        if status == HTTPStatus.NOT_FOUND:
            return ": EndpointSlices (discovery.k8s.io/v1) need Kubernetes 1.21 or later"
        return ""


async def _events(answer: ArrivingAnswer) -> AsyncIterator[WatchEvent]:
    """The events of a watch. Bytes after the last line break are not an event when the watch ends."""
    rest = bytearray()
    while True:
        rest += answer.take_body()
        if b"\n" in rest:
            *lines, last = rest.split(b"\n")
            rest = bytearray(last)
            for line in lines:
                if line.strip():
                    yield _checked(msgspec.json.decode(line, type=WatchEvent))
        if len(rest) > EVENT_BYTES_MAX:
            raise ApiFailed(f"an event of the watch has more than {EVENT_BYTES_MAX} bytes")
        if not await answer.read_more():
            return


def _checked(event: WatchEvent) -> WatchEvent:
    """Return `event`; raise `ApiFailed` or `VersionGone` if it reports an error."""
    if event.type != "ERROR":
        return event
    status = msgspec.json.decode(event.object, type=_Status)
    if status.code == HTTPStatus.GONE or status.reason == "Expired":
        raise VersionGone(status.message)
    raise ApiFailed(f"the watch ended with {status.code} ({status.message or status.reason})")


def read_slice(event: WatchEvent) -> EndpointSlice:
    """Return the slice of a change."""
    return msgspec.json.decode(event.object, type=EndpointSlice)


def version_of(event: WatchEvent) -> str:
    """Return the version that `event` brings."""
    return msgspec.json.decode(event.object, type=_Bookmark).metadata.resource_version


def _own_api(environ: Mapping[str, str], source: str) -> str:
    host, port = environ.get("KUBERNETES_SERVICE_HOST", ""), environ.get("KUBERNETES_SERVICE_PORT", "443")
    if not host:
        raise ConfigError(
            f"{source} needs the Kubernetes API, and this process runs in no pod (KUBERNETES_SERVICE_HOST is not set): "
            "give --kubernetes-api-url"
        )
    return f"https://{bracketed(host)}:{port}"


def _read_token(path: str) -> str:
    """Return the token in the file, which Kubernetes replaces every hour."""
    try:
        return Path(path).read_text().strip()
    except (OSError, ValueError) as error:
        raise ApiFailed(f"the token for the Kubernetes API cannot be read: {error}") from None


def _retry_after(headers: tuple[tuple[str, str], ...]) -> float:
    given = dict(headers).get("retry-after", "")
    return min(float(given), RETRY_AFTER_MAX_S) if given.isdecimal() else 0.0
