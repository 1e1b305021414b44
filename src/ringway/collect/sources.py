"""Sources of measures: from the short forms of operators to probes that can be polled."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Literal

import msgspec

from ringway.collect.agent import AgentCollector
from ringway.collect.call import CallCollector
from ringway.collect.collector import Collector
from ringway.collect.document import DocumentCollector
from ringway.collect.prometheus import PrometheusCollector
from ringway.collect.snmp import SnmpCollector, SnmpCredentials, SnmpSession
from ringway.collect.spec import CollectorSpec, hide_secrets, parse_spec, read_options
from ringway.core.custom.score import ExternalMetric
from ringway.errors import ConfigError

PERIOD_S = 5.0
PERIOD_MIN_S = 0.05
EXPIRE_PERIODS = 6
TIMEOUT_MAX_S = 2.0


@dataclass(frozen=True, slots=True)
class Probe:
    """A metric, and its collector."""

    metric: ExternalMetric
    collector: Collector
    period_s: float
    timeout_s: float
    scale: float = 1.0  # factor for the measured value


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """The timing options of every source, in seconds."""

    period: float = PERIOD_S
    timeout: float | None = None  # below half of the period
    expire: float | None = None

    @property
    def timeout_s(self) -> float:
        """The deadline of an answer."""
        return min(TIMEOUT_MAX_S, 0.4 * self.period) if self.timeout is None else self.timeout

    @property
    def expire_s(self) -> float:
        """The time for which a value is used."""
        return EXPIRE_PERIODS * self.period if self.expire is None else self.expire

    def check(self) -> None:
        """Raise `ConfigError` for the first option that is wrong."""
        if not PERIOD_MIN_S <= self.period < float("inf"):
            raise ConfigError(f"the period is {self.period:g} s; it must be {PERIOD_MIN_S} s or more")
        if not 0 < self.timeout_s < self.period / 2:
            raise ConfigError(
                f"the timeout is {self.timeout_s:g} s; it must be below half of the period, {self.period / 2:g} s"
            )
        if not self.expire_s >= 2 * self.period:
            raise ConfigError(
                f"expire is {self.expire_s:g} s; it must be two periods or more, {2 * self.period:g} s: else values "
                "would be missing between polls"
            )


class Measuring(Timing, frozen=True, kw_only=True):
    """The meaning of a measured value: options of every source but agents."""

    scale: float = 1.0
    threshold: float = 1.0
    low: float | None = None
    high: float | None = None
    better: Literal["lower", "higher"] = "lower"
    weight: float = 1.0
    gate: bool = True
    tau: float = 10.0

    def define(self, name: str) -> ExternalMetric:
        """Return the metric; raise `ConfigError` if the numbers contradict each other."""
        return ExternalMetric(
            name=name, threshold=self.threshold, low=self.low, high=self.high, better=self.better,
            weight=self.weight, gate=self.gate, tau_s=self.tau, expire_s=self.expire_s,
        )  # fmt: skip


class SnmpOptions(Measuring, frozen=True, kw_only=True):
    """Options of snmp://."""

    community: str = ""
    user: str = ""
    auth: str = "SHA256"
    auth_key: str = ""
    priv: str = "AES"
    priv_key: str = ""


class HttpOptions(Measuring, frozen=True, kw_only=True):
    """Options of http:// and https://."""

    path: str = ""
    metric: str = ""
    bearer: str = ""


class AgentOptions(Timing, frozen=True, kw_only=True):
    """Options of agent://."""

    send: str = ""


def read_probes(specs: Sequence[str], environ: Mapping[str, str] = os.environ) -> tuple[Probe, ...]:
    """Return the probes of the short forms `specs`; raise one `ConfigError` with all problems."""
    problems: list[str] = []
    probes: list[Probe] = []
    sessions: dict[SnmpCredentials, SnmpSession] = {}
    for text in specs:
        try:
            probe = _read(parse_spec(text, environ), sessions)
        except ConfigError as error:
            problems += error.problems
        else:
            if any(other.metric.name == probe.metric.name for other in probes):
                problems.append(f"two collectors are called {probe.metric.name}; give one of them another name")
            probes.append(probe)
    if problems:
        raise ConfigError(*problems)
    return tuple(probes)


def _read(spec: CollectorSpec, sessions: dict[SnmpCredentials, SnmpSession]) -> Probe:
    scheme = spec.source.partition(":")[0]
    read = SOURCES.get(scheme)
    if read is None:
        raise ConfigError(
            f"the collector {spec.name} has the source {hide_secrets(spec.source)!r}; it must begin with "
            f"{', '.join(f'{known}:' for known in SOURCES)}"
        )
    try:
        return read(spec, sessions)
    except ConfigError as error:
        raise ConfigError(*(f"the collector {spec.name}: {problem}" for problem in error.problems)) from error


def _snmp(spec: CollectorSpec, sessions: dict[SnmpCredentials, SnmpSession]) -> Probe:
    options = read_options(spec, SnmpOptions)
    who = SnmpCredentials(
        options.community, options.user, options.auth.upper(), options.auth_key, options.priv.upper(), options.priv_key
    )
    session = sessions.get(who)
    if session is None:
        session = sessions[who] = SnmpSession(who)
    return _probe(spec, options, SnmpCollector(spec.source, session, options.timeout_s))


def _http(spec: CollectorSpec, sessions: dict[SnmpCredentials, SnmpSession]) -> Probe:
    options = read_options(spec, HttpOptions)
    if options.path and options.metric:
        raise ConfigError("give path= for a JSON document or metric= for Prometheus's text format, not both")
    if options.metric:
        return _probe(spec, options, PrometheusCollector(spec.source, options.metric, options.bearer))
    return _probe(spec, options, DocumentCollector(spec.source, options.path, options.bearer))


def _agent(spec: CollectorSpec, sessions: dict[SnmpCredentials, SnmpSession]) -> Probe:
    options = read_options(spec, AgentOptions)
    options.check()
    metric = ExternalMetric(name=spec.name, expire_s=options.expire_s)
    return Probe(metric, AgentCollector(spec.source, options.send), options.period, options.timeout_s)


def _call(spec: CollectorSpec, sessions: dict[SnmpCredentials, SnmpSession]) -> Probe:
    return _probe(spec, read_options(spec, Measuring), CallCollector(spec.source))


def _probe(spec: CollectorSpec, options: Measuring, collector: Collector) -> Probe:
    options.check()
    if not (isfinite(options.scale) and options.scale):
        raise ConfigError(f"the scale is {options.scale:g}; it must be a number other than 0, such as 0.01")
    return Probe(options.define(spec.name), collector, options.period, options.timeout_s, options.scale)


SOURCES: dict[str, Callable[[CollectorSpec, dict[SnmpCredentials, SnmpSession]], Probe]] = {
    "snmp": _snmp,
    "http": _http,
    "https": _http,
    "agent": _agent,
    "call": _call,
}
