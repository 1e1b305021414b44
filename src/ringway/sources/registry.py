"""Registries of backends: the specs of `--backend` that name a registry, and the source for each."""

from random import Random

from ringway.errors import ConfigError
from ringway.sources.eureka.application import is_eureka
from ringway.sources.eureka.config import EurekaConfig
from ringway.sources.eureka.source import EurekaSource
from ringway.sources.kubernetes.config import KubernetesConfig
from ringway.sources.kubernetes.service import is_kubernetes
from ringway.sources.kubernetes.source import KubernetesSource
from ringway.sources.sink import BackendSink


def is_registry(spec: str) -> bool:
    """True if a `--backend` names a registry, and not a single backend."""
    return is_kubernetes(spec) or is_eureka(spec)


def open_registry(
    spec: str, kubernetes: KubernetesConfig, eureka: EurekaConfig, sink: BackendSink, rng: Random
) -> KubernetesSource | EurekaSource:
    """Return the source for a spec that names a registry; raise `ConfigError` with its problems."""
    if is_kubernetes(spec):
        return KubernetesSource(spec, kubernetes, sink, rng)
    if is_eureka(spec):
        return EurekaSource(spec, eureka, sink, rng)
    raise ConfigError(f"{spec} names no registry")
