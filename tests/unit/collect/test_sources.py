import builtins

import pytest

from ringway.collect.agent import AgentCollector
from ringway.collect.call import CallCollector
from ringway.collect.document import DocumentCollector
from ringway.collect.prometheus import PrometheusCollector
from ringway.collect.snmp import SnmpCollector
from ringway.collect.sources import read_probes
from ringway.errors import ConfigError

SNMP = "cpu=snmp://{host}:161/cpu,community=public"


def problems_of(*specs: str, **environ: str) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as raised:
        read_probes(specs, environ)
    return raised.value.problems


def test_the_source_and_its_options_say_what_asks():
    probes = read_probes(
        (
            SNMP,
            "load=http://{host}:8080/load,path=one",
            "node=https://{host}/metrics,metric=node_load1",
            "agent=agent://{host}:8888",
            "own=call:unit.collect.sample_calls:by_load",
        )
    )
    assert [type(probe.collector) for probe in probes] == [
        SnmpCollector, DocumentCollector, PrometheusCollector, AgentCollector, CallCollector,
    ]  # fmt: skip


def test_times_follow_from_the_period():
    (probe,) = read_probes((SNMP,))
    assert (probe.period_s, probe.timeout_s, probe.metric.expire_s) == (5.0, 2.0, 30.0)
    (probe,) = read_probes((f"{SNMP},period=1",))
    assert (probe.period_s, probe.timeout_s, probe.metric.expire_s) == (1.0, 0.4, 6.0)
    (probe,) = read_probes((f"{SNMP},period=60,timeout=20,expire=200",))
    assert (probe.period_s, probe.timeout_s, probe.metric.expire_s) == (60.0, 20.0, 200.0)


def test_a_metric_is_what_its_options_say():
    (probe,) = read_probes((f"{SNMP},threshold=0.8,low=0.6,high=0.9,weight=2,tau=0,gate=false,better=lower",))
    metric = probe.metric
    assert (metric.name, metric.threshold, metric.watermarks, metric.weight) == ("cpu", 0.8, (0.6, 0.9), 2.0)
    assert (metric.tau_s, metric.gate, metric.better) == (0.0, False, "lower")


def test_metrics_with_the_same_credentials_share_a_session():
    one, two, three = read_probes((SNMP, SNMP.replace("cpu", "memory"), "l=snmp://{host}/load,community=other"))
    assert one.collector.session is two.collector.session is not three.collector.session


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        ("cpu=ftp://h", "has the source 'ftp://h'; it must begin with snmp:, http:, https:, agent:, call:"),
        ("cpu=ftp://u:secret@h", "'ftp://h'"),
        (f"{SNMP},period=0", "the collector cpu: the period is 0 s; it must be 0.05 s or more"),
        (f"{SNMP},period=nan", "the period is nan s"),
        (f"{SNMP},period=2,timeout=1", "the timeout is 1 s; it must be below half of the period, 1 s"),
        (f"{SNMP},expire=9", "expire is 9 s; it must be two periods or more, 10 s"),
        (f"{SNMP},low=2", "the watermarks of the metric 'cpu' are low=2 and high=1; low must be below high"),
        (f"{SNMP},scale=0", "the scale is 0; it must be a number other than 0"),
        (f"{SNMP},better=best", "the option better=best must be one of lower, higher"),
        (f"{SNMP},user=me", "give either community= (version 2c) or user= (version 3)"),
        ("cpu=snmp://{host}/cpu", "give either community="),
        ("cpu=snmp://{host}/cpu,user=me,priv_key=12345678", "priv_key= needs auth_key= beside it"),
        ("cpu=snmp://{host}/cpu,user=me,auth_key=short", "the auth_key has 5 characters; it must have 8 at least"),
        ("cpu=snmp://{host}/cpu,user=me,auth=CRC", "auth=CRC is unknown; choose one of MD5, SHA, SHA224"),
        ("cpu=snmp://{host}/disk,community=p", "must end in /cpu, /memory, /load or an OID"),
        ("cpu=snmp://{ip}/cpu,community=p", "has a placeholder other than {host}, {port}, {name}"),
        ("a=agent://{host}", "no port is given); write agent://{host}:port"),
        ("a=agent://{host}:8888,threshold=1", "there is no option 'threshold' with this source"),
        ("a=agent://{host}:0", "the port '0' is not a number from 1 to 65535"),
        ("a=http://{host}:65536", "the port '65536'"),
        ("a=snmp://{host}:/cpu,community=p", "the port ''"),
        ("a=http:///x", "names no host; write http://{host}:port"),
        ("a=http://me:pw@{host}/x", "holds credentials; give them as options"),
        ("a=http://{host}:x/", "cannot be read"),
        ("a=http://{host},path=a,metric=b", "give path= for a JSON document or metric= for"),
        ("a=http://{host},metric=b{c", "is no selector; write name or name{label="),
        ("a=http://{host},metric=b 1", "is no selector"),
        ("a=call:f", "names no function; write call:package.module:function"),
        ("a=call:no_such_module:f", "the module 'no_such_module' cannot be imported (ModuleNotFoundError"),
        ("a=call:unit.collect.sample_calls:nope", "the module 'unit.collect.sample_calls' has no function 'nope'"),
        ("a=call:unit.collect.sample_calls:NUMBER", "has no function 'NUMBER'"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_what_would_be_right(spec, problem):
    (told,) = problems_of(spec)
    assert problem in told
    assert "secret" not in told
    assert "pw" not in told


def test_all_problems_are_told_at_once():
    problems = problems_of(f"{SNMP},low=x,period=y", "cpu=snmp://h/cpu,community=$NONE", SNMP, SNMP)
    assert len(problems) == 4
    assert problems[-1] == "two collectors are called cpu; give one of them another name"


def test_secrets_come_from_the_environment_and_are_not_told():
    (probe,) = read_probes(("cpu=snmp://h/cpu,user=me,auth_key=$KEY",), {"KEY": "from-the-environment"})
    assert probe.collector.session.credentials.auth_key == "from-the-environment"
    (told,) = problems_of("cpu=snmp://h/cpu,user=me,auth_key=$KEY", KEY="s3cret")
    assert "s3cret" not in told


def test_without_pysnmp_the_extra_is_named(monkeypatch):
    imported = builtins.__import__

    def without(name, *args, **kwargs):
        if name.startswith("pysnmp"):
            raise ImportError(name)
        return imported(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    assert problems_of(SNMP) == (
        "the collector cpu: SNMP needs the extra snmp; install it: pip install 'ringway[server,snmp]'",
    )
