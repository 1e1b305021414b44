"""Specs of applications in Eureka, and their problems."""

import pytest

from ringway.errors import ConfigError
from ringway.sources.eureka.application import is_eureka, read_application

SPEC = "eureka+http://registry:8761/eureka"


def test_a_spec_names_registry_application_and_what_all_instances_have_in_common() -> None:
    spec = f"{SPEC}/,app=CHAT,scheme=wss,path=/ws/,address=ip,check=/actuator/health,weight=2,drain-within=30"
    assert is_eureka(spec)
    application = read_application(spec)
    assert (application.url, application.app) == ("http://registry:8761/eureka", "CHAT")
    assert (application.scheme, application.path, application.by_ip) == ("wss", "/ws", True)
    assert (application.template.check, application.template.weight) == ("/actuator/health", 2)
    assert application.drain_within_s == 30
    assert application.source == f"{SPEC},app=CHAT"


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        (SPEC, "app= of .* must be an application's name, as CHAT"),
        ("eureka+ftp://registry,app=CHAT", "must begin with http:// or https://"),
        ("eureka+http://user:secret@registry/eureka,app=CHAT", "holds credentials; use --eureka-credentials-file"),
        (f"{SPEC}?x=1,app=CHAT", "has a query"),
        (f"{SPEC},app=CHAT,scheme=http", "scheme=http of .* must be ws or wss"),
        (f"{SPEC},app=CHAT,path=ws", "path=ws of .* must be a path such as /ws"),
        (f"{SPEC},app=CHAT,address=name", "address=name of .* must be host or ip"),
        (f"{SPEC},app=CHAT,name=a", "its backends are named after their instance ids"),
        (f"{SPEC},app=CHAT,wieght=2", "the option 'wieght=2' of backend 'ws://chat' is unknown"),
    ],
)
def test_a_wrong_spec_is_named_with_its_remedy(spec: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says) as error:
        read_application(spec)
    assert "secret" not in str(error.value)
