"""Settings of hooks: their forms, and what is refused, with value, rule and remedy."""

from pathlib import Path

import pytest

from ringway.errors import ConfigError
from ringway.hooks.config import read_hooks, read_static_headers, read_tls, short_hooks
from ringway.node.config.node import NodeConfig

SPEC = "app:endpoint=https://app.example/hooks"


def test_a_hook_has_a_short_form_and_a_table() -> None:
    table = {
        "app": {
            "endpoint": "https://app.example/hooks", "timeout_s": 2, "http_headers": ["Cookie", "X-Request-Id"],
            "include_connection_meta": True,
        }
    }  # fmt: skip
    (spec,) = short_hooks(table)
    options = read_hooks([spec])["app"]
    assert (options.timeout_s, options.include_connection_meta) == (2.0, True)
    assert options.headers == ("cookie", "x-request-id")
    assert (options.url.host, options.url.path) == ("app.example", "/hooks")
    assert read_hooks([SPEC])["app"].timeout_s == 1.0


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("a b:endpoint=https://x", "no usable name"),
        ("app", "endpoint is missing"),
        ("app:endpoint=ftp://x", "must begin with"),
        ("app:endpoint=https://user:hidden@x/", "static_headers_file"),
        ("app:endpoint=https://x/?key=hidden", "static_headers_file"),
        ("app:endpoint=http://app.example/", "plain_http"),
        ("app:endpoint=http://127.0.0.1/,ca_file=x", "leave one out"),
        (SPEC + ",timeout_s=0", "timeout_s=0"),
        (SPEC + ",timeout_s=31", "timeout_s=31"),
        (SPEC + ",nonsense=1", "no option 'nonsense'; there are "),
        (SPEC + ",timeout=1", "no option 'timeout'; did you mean 'timeout_s'?"),
        (SPEC + ",http_headers=Host", "host"),
        (SPEC + ",http_headers=Ringway-Proof", "ringway-proof"),
        (SPEC + ",http_headers=Sec-WebSocket-Key", "sec-websocket-key"),
        (SPEC + ",http_headers=X\u00e9", "no name of a header"),
    ],
)
def test_what_cannot_be_used_is_refused_without_secrets(spec: str, words: str) -> None:
    with pytest.raises(ConfigError) as refused:
        read_hooks([spec])
    assert words in str(refused.value)
    assert "hidden" not in str(refused.value)


def test_every_fault_is_named_at_once() -> None:
    with pytest.raises(ConfigError) as refused:
        read_hooks([SPEC + ",timeout_s=0", SPEC, "other"])
    assert len(refused.value.problems) == 2


def test_a_table_is_needed_for_each_name() -> None:
    with pytest.raises(ConfigError, match=r"\[node.hooks.app\]"):
        short_hooks({"app": "https://x"})


def test_headers_come_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "headers"
    file.write_text("# of the backend\nAuthorization: Bearer s3cret\n\nX-Team: a: b\n")
    options = read_hooks([f"{SPEC},static_headers_file={file}"])["app"]
    assert read_static_headers("app", options) == (("Authorization", "Bearer s3cret"), ("X-Team", "a: b"))


@pytest.mark.parametrize(
    "text",
    [
        "s3cret",
        "Content-Length: s3cret",
        "A B: s3cret",
        "X: s3cret\x00",
        "X: s3cret\u00e9",
        "X:",
        "X: " + "s3cret" * 20000,
    ],
    ids=["no colon", "content-length", "blank", "control", "not ascii", "empty", "too long"],
)
def test_a_bad_file_of_headers_is_refused_without_its_values(tmp_path: Path, text: str) -> None:
    file = tmp_path / "headers"
    file.write_text(text, encoding="latin-1")
    options = read_hooks([f"{SPEC},static_headers_file={file}"])["app"]
    with pytest.raises(ConfigError) as refused:
        read_static_headers("app", options)
    assert "s3cret" not in str(refused.value)


def test_files_that_are_not_there_are_named(tmp_path: Path) -> None:
    options = read_hooks([f"{SPEC},static_headers_file={tmp_path}/none,ca_file={tmp_path}/none"])["app"]
    with pytest.raises(ConfigError, match="static_headers_file of the hook app"):
        read_static_headers("app", options)
    with pytest.raises(ConfigError, match="ca_file of the hook app"):
        read_tls("app", options)


def test_a_node_names_hooks_that_there_are() -> None:
    with pytest.raises(ConfigError, match="connect_hook is users, and there is no such hook"):
        NodeConfig(hooks=(SPEC,), connect_hook="users")
    assert NodeConfig(hooks=(SPEC,), connect_hook="app").connect_hook == "app"


@pytest.mark.parametrize("option", ["subscribe_hook", "publish_hook", "sub_refresh_hook"])
def test_a_namespace_names_hooks_that_there_are(option: str) -> None:
    with pytest.raises(ConfigError, match=f"{option} of the namespace chat is users, and there is no such hook"):
        NodeConfig(hooks=(SPEC,), namespaces=(f"chat:{option}=users",))
    assert NodeConfig(hooks=(SPEC,), namespaces=(f"chat:{option}=app",)).hooks


def test_a_connect_hook_answers_before_the_connect_deadline() -> None:
    with pytest.raises(ConfigError, match="connect_deadline_s"):
        NodeConfig(hooks=(SPEC + ",timeout_s=5",), connect_hook="app")
