"""Specs of Kubernetes Services, and their problems."""

import pytest

from ringway.errors import ConfigError
from ringway.protocol.backend import OnMove
from ringway.sources.kubernetes.service import is_kubernetes, read_service


@pytest.mark.parametrize(
    ("spec", "name", "namespace", "port", "path"),
    [
        ("kubernetes+ws://chat.prod:ws/app", "chat", "prod", "ws", "/app"),
        ("kubernetes+ws://chat.prod:9000", "chat", "prod", 9000, ""),
        ("kubernetes+ws://chat.prod", "chat", "prod", "", ""),
        ("kubernetes+ws://chat", "chat", "own", "", ""),
        ("kubernetes+ws://chat.prod.svc", "chat", "prod", "", ""),
        ("kubernetes+ws://chat.prod.svc.cluster.local:ws/", "chat", "prod", "ws", ""),
    ],
)
def test_the_form_is_that_of_a_url_to_the_service(
    spec: str, name: str, namespace: str, port: int | str, path: str
) -> None:
    assert is_kubernetes(spec)
    service = read_service(spec, "own")
    assert (service.name, service.namespace, service.port, service.path) == (name, namespace, port, path)


def test_the_options_of_a_backend_are_for_all_pods() -> None:
    service = read_service(
        "kubernetes+wss://chat.prod:ws,check=/healthz,on-move=auto,weight=2,group=chat,drain-within=55s"
    )
    template = service.template
    assert (template.check, template.on_move, template.weight, template.group) == ("/healthz", OnMove.AUTO, 2, "chat")
    assert service.drain_within_s == 55
    assert service.scheme == "wss"
    assert service.source == "kubernetes+wss://chat.prod:ws"


def test_a_drain_has_the_time_that_pods_have_by_default() -> None:
    assert read_service("kubernetes+ws://chat.prod").drain_within_s == 25


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("kubernetes+http://chat.prod", "write kubernetes\\+ws://SERVICE.NAMESPACE:PORT/path"),
        ("kubernetes+ws://chat.prod.cluster", "write kubernetes\\+ws://SERVICE.NAMESPACE:PORT/path"),
        ("kubernetes+ws://Chat.prod", "write kubernetes\\+ws://SERVICE.NAMESPACE:PORT/path"),
        ("kubernetes+ws://chat.prod:99999", "the port '99999' is not a number from 1 to 65535"),
        ("kubernetes+ws://chat.prod:-ws", "the port '-ws' of .* is no name of a port"),
        ("kubernetes+ws://chat", "names no namespace"),
        ("kubernetes+ws://chat.prod,name=a", "its backends are named after their pods; leave it out"),
        ("kubernetes+ws://chat.prod,drain-within=never", "drain-within=never of .* must be 0 to 604800 seconds"),
        ("kubernetes+ws://chat.prod,drain-within=", "drain-within= of .* is empty"),
        ("kubernetes+ws://chat.prod,drain-within=1,drain-within=2", "is given twice"),
        ("kubernetes+ws://chat.prod,chekc=/x", "the option 'chekc=/x' of backend 'ws://chat.prod' is unknown"),
    ],
)
def test_a_wrong_spec_is_named_with_its_remedy(spec: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        read_service(spec)
