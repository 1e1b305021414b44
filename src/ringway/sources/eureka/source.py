"""Source of backends from an application in Eureka, whose registry is asked again and again.

The registry has no watch. It sends neither ETag nor Last-Modified, and its hash is for the list of all applications;
so each answer is read whole; it describes one application, and is small.
"""

import asyncio
import ssl
from base64 import b64encode
from pathlib import Path
from random import Random

import msgspec

from ringway.errors import RingwayError
from ringway.logger import get_logger
from ringway.net.http_get import HttpAnswer, HttpAnswerError, open_get, read_answer
from ringway.protocol.address import authority, read_url
from ringway.sources.eureka.application import REGISTRY_PORTS, read_application
from ringway.sources.eureka.config import EurekaConfig
from ringway.sources.eureka.instance import EurekaInstance, read_instances
from ringway.sources.eureka.registry import SeenInstances
from ringway.sources.sink import BackendSink

_log = get_logger()

ANSWER_BYTES_MAX = 32 << 20
"""The size of the description of an application; an instance has some 1.5 KB."""


class RegistryFailed(RingwayError):
    """The registry cannot be used now; the text names cause and remedy."""


class EurekaSource:
    """The instances of one application as backends, reported to `sink` while `run` runs.

    Raise `ConfigError` for a wrong spec.
    """

    def __init__(self, spec: str, config: EurekaConfig, sink: BackendSink, rng: Random) -> None:
        self._application = read_application(spec)
        self.name = self._application.source
        self._config = config
        self._sink = sink
        self._rng = rng
        self._seen = SeenInstances(self._application, config.missing_s)
        self._url = read_url(self._application.url, REGISTRY_PORTS, "write eureka+http://host:port/eureka")
        self._tls = ssl.create_default_context() if self._url.scheme == "https" else None
        self._told = ""
        self._hangup = asyncio.Event()
        self.asked = asyncio.Event()
        """Set when the first question was answered, or has failed."""

    async def run(self) -> None:
        """Ask again and again until cancelled; gateways that start together do not ask together."""
        while True:
            self._hangup.clear()
            await self._poll()
            self.asked.set()
            try:
                async with asyncio.timeout(self._config.poll_s * self._rng.uniform(0.8, 1.2)):
                    await self._hangup.wait()
            except TimeoutError:
                continue

    def on_hangup(self) -> None:
        """Ask at once."""
        self._hangup.set()

    async def _poll(self) -> None:
        try:
            async with asyncio.timeout(self._config.timeout_s):
                instances = await self._read()
        except TimeoutError:
            self._report(f"the registry does not answer within {self._config.timeout_s:g} s")
        except OSError as error:
            self._report(f"the registry cannot be reached: {error}")
        except (RegistryFailed, HttpAnswerError, msgspec.DecodeError) as error:
            self._report(str(error) if isinstance(error, RegistryFailed) else f"its answer cannot be used: {error}")
        else:
            offers, problems = self._seen.update(instances, asyncio.get_running_loop().time())
            self._sink.update(self.name, offers)
            self._report("; ".join(problems))

    async def _read(self) -> list[EurekaInstance]:
        """Return the instances that the registry knows; an unknown application has no instances."""
        answer = await self._get(f"{self._url.path}/apps/{self._application.app}")
        if answer.status == 404:
            return []
        if answer.status in (401, 403):
            file = self._config.credentials_file
            remedy = f"check the credentials in {file}" if file else "give --eureka-credentials-file"
            raise RegistryFailed(f"the registry answers {answer.status}: {remedy}")
        if answer.status != 200:
            raise RegistryFailed(f"the registry answers {answer.status} at {self._application.url}/apps: check the URL")
        return read_instances(answer.body)

    async def _get(self, target: str) -> HttpAnswer:
        headers = [("Accept", "application/json"), ("User-Agent", "ringway")]
        if self._config.credentials_file:
            headers.append(("Authorization", f"Basic {_read_credentials(self._config.credentials_file)}"))
        url = self._url
        host = authority(url.host, url.port, REGISTRY_PORTS[url.scheme])
        async with open_get(url.host, url.port, target, host, headers=headers, ssl=self._tls) as reader:
            return await read_answer(reader, ANSWER_BYTES_MAX)

    def _report(self, problem: str) -> None:
        if problem != self._told:
            self._told = problem
            if problem:
                _log.warning("a source of backends has a problem", source=self.name, problem=problem)
            else:
                _log.info("a source of backends can be read again", source=self.name)
            self._sink.report_problem(self.name, problem)


def _read_credentials(path: str) -> str:
    """Return user:password in the file, as HTTP Basic has it."""
    try:
        return b64encode(Path(path).read_bytes().strip()).decode()
    except OSError as error:
        raise RegistryFailed(f"the credentials for the registry cannot be read: {error}") from None
