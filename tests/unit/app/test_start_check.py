"""All that a start would refuse before it touches the network is found without a start, with the setting's source."""

import pytest

from ringway.app.config import Given, load_config
from ringway.app.start_check import gateway_problems, start_problems

SHORT = "short"


def loaded_of(**values):
    flags = {path.replace("__", "."): Given(value, f"--{path}") for path, value in values.items()}
    return load_config(flags=flags, environ={})


WRONG = {
    "scheme of a backend": ({"static__backends": ["http://h:1"]}, "static.backends", "http://h:1"),
    "option of a backend": ({"static__backends": ["ws://h:1,grp=feed"]}, "static.backends", "grp=feed"),
    "name server": ({"static__backends": ["dns+ws://h:1,nameserver=x"]}, "static.backends", "name server 'x'"),
    "Kubernetes": ({"static__backends": ["kubernetes+ws://a.b.c.d:1"]}, "static.backends", "kubernetes"),
    "Eureka": ({"static__backends": ["eureka+http://h:1/eureka"]}, "static.backends", "app="),
    "file of backends": ({"static__backends_file": "/none.toml"}, "static.backends_file", "cannot be read"),
    "policy": ({"gateway__policy": "best"}, "gateway.policy", "the policy 'best' is unknown"),
    "policy of a route": ({"gateway__routes": ["policy=score:call=nowhere:f"]}, "gateway.routes", "nowhere"),
    "collector": ({"load__collect": ["x=gopher://h"]}, "load.collect", "it must begin with"),
    "pages": ({"gateway__pages": "/no/such/directory"}, "gateway.pages", "/no/such/directory"),
    "open registration": ({"registration__port": "0", "registration__host": "0.0.0.0"}, "registration.host", "0.0.0.0"),
    "tokens": ({"registration__port": "0", "registration__tokens_file": "/none"}, "registration.tokens_file", "/none"),
    "server API without a key": ({"http_api__port": "0"}, "http_api.port", "there is no key"),
    "open server API": (
        {"http_api__port": "0", "http_api__insecure": True, "http_api__host": "0.0.0.0"},
        "http_api.host",
        "0.0.0.0",
    ),
    "keys": ({"http_api__port": "0", "http_api__key_file": "/none"}, "http_api.key_file", "/none"),
    "tokens of the admin port": ({"admin__read_tokens_file": "/none"}, "admin.read_tokens_file", "cannot be read"),
    "file of the outbox": (
        {"postgresql__dsn_file": "/none", "postgresql__outbox_table_name": "t"},
        "postgresql.dsn_file",
        "cannot be read",
    ),
    "name of a member": ({"member__name": "a b"}, "member.name", "the name 'a b' is not usable"),
    "engine": ({"engine__url": "kafka://h:1"}, "engine.url", "is of no known kind"),
    "option of the engine": ({"engine__url": "nats://h:1?x=y"}, "engine.url", "the option 'x'"),
    "database of the engine": ({"engine__url": "redis://h:1/x"}, "engine.url", "the database at the end"),
    "certificates of the engine": ({"engine__url": "tls://h:1", "engine__ca_file": "/none"}, "engine.url", "/none"),
    "cluster": ({"engine__url": "nats://h:1", "engine__cluster": "a b"}, "engine.cluster", "a b"),
    "secret": ({"engine__secret": SHORT}, "engine.secret", "has 5 characters"),
    "file of the secret": ({"engine__secret_file": "/none"}, "engine.secret_file", "/none"),
    "hash secret": ({"engine__hash_secret": SHORT}, "engine.hash_secret", "has 5 characters"),
}


@pytest.mark.parametrize(("values", "setting", "said"), WRONG.values(), ids=WRONG)
def test_what_the_start_refuses_is_found_with_its_source(values, setting, said):
    problems = start_problems(loaded_of(**values))
    assert len(problems) == 1, problems
    flag = f"--{setting.replace('.', '__')}"
    assert f"({flag})" in problems[0], "its source is named"
    assert setting in problems[0]
    assert said in problems[0]


def test_all_backends_and_collectors_are_told_at_once():
    problems = start_problems(
        loaded_of(
            static__backends=["http://h:1,group=chat", "ws://h:2,grp=feed", "dns+ws://h:3,nameserver=x"],
            load__collect=["x=gopher://h", "y=gopher://h"],
        )
    )
    assert len(problems) == 5


def test_good_settings_have_no_problem(tmp_path):
    file = tmp_path / "backends.toml"
    file.write_text('[[backend]]\nurl = "ws://127.0.0.1:9001"\n')
    secret = tmp_path / "secret"
    secret.write_text("s" * 32)
    loaded = loaded_of(
        static__backends=["ws://h:1,group=chat", "dns+ws://h:2", "eureka+http://h:3/eureka,app=CHAT"],
        static__backends_file=str(file),
        gateway__routes=["path=/chat group=chat policy=ring"],
        load__collect=["x=http://{host}:9100/x,path=a"],
        engine__url="nats://h:4222",
        engine__secret_file=str(secret),
        registration__port="0",
        member__name="gateway-7",
    )
    assert start_problems(loaded) == []
    assert start_problems(load_config(environ={})) == []


def test_groups_of_a_system_that_is_joined_are_not_known():
    loaded = loaded_of(static__backends=["ws://h:1,group=feed"], gateway__routes=["path=/chat group=chat"])
    [problem] = gateway_problems(loaded)
    assert "leads to the group 'chat', and the backends are in feed" in problem
    assert gateway_problems(loaded, joins=True) == []
