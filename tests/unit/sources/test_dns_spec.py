"""Names in DNS as `--backend` describes them: the backends at their addresses, and the problems that are named."""

import pytest

from ringway.errors import ConfigError
from ringway.protocol.backend import OnMove, problems_of
from ringway.protocol.name import check_name
from ringway.sources.dns_spec import is_dns, read_dns_spec, read_dns_specs


def test_a_backend_is_named_after_host_and_address() -> None:
    spec = read_dns_spec("dns+ws://Chat.internal:9000/app/,weight=2,check=/healthz,on-move=reopen,group=g")
    assert (spec.host, spec.srv, spec.nameservers) == ("chat.internal", False, ())
    backend = spec.backend_at("10.0.0.7")
    assert (backend.name, backend.url) == ("chat.internal-10.0.0.7-9000", "ws://10.0.0.7:9000/app")
    assert (backend.weight, backend.group, backend.on_move) == (2.0, "g", OnMove.REOPEN)
    assert problems_of(backend) == []


def test_ipv6_addresses() -> None:
    backend = read_dns_spec("dns+ws://chat:9000").backend_at("fd00::7")
    assert (backend.name, backend.url) == ("chat-fd00--7-9000", "ws://[fd00::7]:9000")


@pytest.mark.parametrize(
    ("options", "checked_as"),
    [
        (",check=/h", "chat.internal:9000"),
        (",check=/h,host=app.example", "app.example"),
        (",check=/h,check-host=b.example", "b.example"),
    ],
)
def test_checks_name_the_host_and_not_the_address(options: str, checked_as: str) -> None:
    assert read_dns_spec("dns+ws://chat.internal:9000" + options).backend_at("10.0.0.7").checked_as == checked_as


@pytest.mark.parametrize(
    ("spec", "tls_name"),
    [
        ("dns+wss://chat.internal.", "chat.internal"),
        ("dns+wss://chat.internal,tls-name=app.example", "app.example"),
        ("dns+srv+wss://_ws._tcp.chat.internal", "chat.internal"),
        ("dns+srv+wss://chat.service.consul", "chat.service.consul"),
        ("dns+ws://chat.internal", ""),
    ],
)
def test_a_certificate_is_for_the_name(spec: str, tls_name: str) -> None:
    backend = read_dns_spec(spec).backend_at("10.0.0.7", 9443)
    assert backend.tls_name == tls_name
    assert problems_of(backend) == []


def test_services_are_named_after_their_targets_unless_there_is_a_name() -> None:
    backend = read_dns_spec("dns+srv+ws://_ws._tcp.chat.internal,weight=2").backend_at("10.0.0.7", 9001, "pod-1", 3.0)
    assert (backend.name, backend.url, backend.weight) == ("pod-1-10.0.0.7-9001", "ws://10.0.0.7:9001", 6.0)
    backend = read_dns_spec("dns+srv+ws://_ws._tcp.chat.internal,name=chat").backend_at("10.0.0.7", 9001, "pod-1")
    assert backend.name == "chat-10.0.0.7-9001"
    assert read_dns_spec("dns+ws://h,weight=900").backend_at("10.0.0.7", 1, "", 900.0).weight == 1000.0


def test_long_names_are_shortened_and_stay_different() -> None:
    spec = read_dns_spec(f"dns+ws://{'a' * 60}.{'b' * 60}.internal")
    first, second = (check_name(spec.backend_at(f"10.0.0.{n}").name) for n in (1, 2))
    assert first != second


def test_name_servers() -> None:
    spec = read_dns_spec("dns+srv+ws://chat.service.consul,nameserver=127.0.0.1:8600+[::1]+10.0.0.2,weight=2")
    assert spec.nameservers == (("127.0.0.1", 8600), ("::1", 53), ("10.0.0.2", 53))


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("dns+http://h", "must begin with ws:// or wss://"),
        ("dns+ws://", "names no host"),
        ("dns+", "must begin with ws:// or wss://"),
        ("dns+ws://10.0.0.1:9000", "names an address, which is not looked up; leave out dns+"),
        ("dns+srv+ws://[::1]", "leave out dns+srv+"),
        ("dns+srv+ws://_ws._tcp.chat:9000", "SRV records have ports of their own"),
        ("dns+ws://h,nameserver=dns.example", "the name server 'dns.example' of 'dns+ws://h' must be an IP address"),
        ("dns+ws://h,nameserver=", "nameserver= of 'dns+ws://h' is empty"),
        ("dns+ws://h,nameserver=1.1.1.1+", "must be an IP address"),
        ("dns+ws://h,nameserver=1.1.1.1,nameserver=1.1.1.2", "given twice"),
        ("dns+ws://h,wight=2", "unknown"),
        ("dns+ws://h,tls-name=x", "no effect without TLS"),
    ],
)
def test_problems_are_named(spec: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_dns_spec(spec)
    assert says in str(caught.value)


def test_two_of_one_name_are_refused() -> None:
    specs = ["dns+ws://h:1", "dns+ws://h:1/app", "dns+ws://h:2", "dns+ws://h:1,name=x"]
    with pytest.raises(ConfigError) as caught:
        read_dns_specs([*specs, "dns+x"])
    assert len(caught.value.problems) == 2
    assert [spec.base for spec in read_dns_specs(specs[1:])] == ["", "", "x"]


def test_specs_are_told_apart_from_urls() -> None:
    assert [is_dns(spec) for spec in ("dns+ws://h", "DNS+SRV+WS://h", "ws://dns+h", "dns://h")] == [
        True, True, False, False,
    ]  # fmt: skip
