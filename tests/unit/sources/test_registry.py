"""Registries of backends: which specs name one, and the source for each."""

import random

import pytest

from ringway.errors import ConfigError
from ringway.sources.eureka.config import EurekaConfig
from ringway.sources.eureka.source import EurekaSource
from ringway.sources.kubernetes.config import KubernetesConfig
from ringway.sources.kubernetes.source import KubernetesSource
from ringway.sources.registry import is_registry, open_registry
from support.recording_sink import RecordingSink


def opened(spec: str) -> KubernetesSource | EurekaSource:
    kubernetes = KubernetesConfig(api_url="http://127.0.0.1:8001")
    return open_registry(spec, kubernetes, EurekaConfig(), RecordingSink(), random.Random(1))


@pytest.mark.parametrize(
    ("spec", "source"),
    [
        ("kubernetes+ws://chat.default:ws,check=/healthz", "kubernetes+ws://chat.default:ws"),
        ("eureka+http://registry:8761/eureka,app=CHAT", "eureka+http://registry:8761/eureka,app=CHAT"),
    ],
)
def test_a_registry_has_its_source(spec: str, source: str) -> None:
    assert is_registry(spec)
    assert opened(spec).name == source


def test_a_backend_of_its_own_is_no_registry() -> None:
    assert not is_registry("ws://127.0.0.1:9000")
    with pytest.raises(ConfigError, match="names no registry"):
        opened("ws://127.0.0.1:9000,check=/")


def test_the_url_of_the_api_is_checked() -> None:
    with pytest.raises(ConfigError, match="api_url: the URL 'ftp://x' must begin with http:// or https://"):
        KubernetesConfig(api_url="ftp://x")
