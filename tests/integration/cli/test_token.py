"""`ringway token`, and a gateway process whose secret of tokens changes while it runs."""

import json
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import jwt
import pytest

from integration.cli.kit import end, environ_of, run, start
from support.key_pairs import EC_KEY, ED_KEY, RSA_KEY, private_pem, public_pem
from support.system import free_port, wait_for

SECRET, NEW = "a secret of tests, long enough for HS256", "the next secret, also long enough for HS256"


@pytest.fixture
def secret(tmp_path: Path) -> str:
    file = tmp_path / "secret"
    file.write_text(SECRET + "\n")
    return str(file)


def made(tmp_path: Path, *words: str) -> str:
    done = run(tmp_path, "token", "make", *words)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_token_is_made_and_checked(tmp_path, secret):
    key = ("--hmac-secret-key-file", secret)
    token = made(
        tmp_path, "--user", "42", "--ttl", "5m", "--info", '{"name":"Zoë"}', "--claim", 'meta={"plan":1}', *key
    )
    said = jwt.decode(token, SECRET, ["HS256"])
    assert (said["sub"], said["info"], said["meta"], said["exp"] - said["iat"]) == (
        "42",
        {"name": "Zoë"},
        {"plan": 1},
        300,
    )
    done = run(tmp_path, "token", "check", token, *key)
    assert done.returncode == 0, done.stderr
    first, *lines = done.stdout.splitlines()
    assert first == "A good connection token of user '42'."
    assert [line.split()[0] for line in lines] == ["ends", "issued", "meta", "info"]
    assert "UTC, in " in lines[0]
    answer = json.loads(run(tmp_path, "token", "check", token, "--json", *key).stdout)
    assert (answer["good"], answer["kind"], answer["claims"]["sub"]) == (True, "connection", "42")


def test_a_subscription_token_names_its_channel(tmp_path, secret):
    key = ("--hmac-secret-key-file", secret)
    token = made(tmp_path, "--channel", "$news", "--ttl", "0", *key)
    done = run(tmp_path, "token", "check", token, *key)
    assert done.stdout.splitlines()[:2] == ["A good subscription token of an anonymous client.", "ends      never"]
    assert "channel   $news" in done.stdout


def test_settings_of_issuer_and_audience_are_in_the_token(tmp_path, secret):
    rules = {
        "RINGWAY_TOKEN_HMAC_SECRET_KEY_FILE": secret,
        "RINGWAY_TOKEN_ISSUER": "app",
        "RINGWAY_TOKEN_AUDIENCE": "chat",
    }
    done = run(tmp_path, "token", "make", "--user", "42", **rules)
    checked = run(tmp_path, "token", "check", done.stdout.strip(), **rules)
    assert (checked.returncode, "issuer    app" in checked.stdout) == (0, True)
    other = run(tmp_path, "token", "check", done.stdout.strip(), **rules | {"RINGWAY_TOKEN_AUDIENCE": "feed"})
    assert other.returncode == 1
    assert "the token is not accepted: its audience is 'chat'" in other.stderr
    assert '"sub":"42"' in other.stderr, "what it says, without proof"


@pytest.mark.parametrize(
    ("key", "setting", "alg"),
    [(RSA_KEY, "rsa", "RS256"), (EC_KEY, "ecdsa", "ES256"), (ED_KEY, "eddsa", "EdDSA")],
    ids=["RSA", "ECDSA", "EdDSA"],
)
def test_a_token_by_a_private_key(tmp_path, key, setting, alg):
    (tmp_path / "private.pem").write_text(private_pem(key))
    (tmp_path / "public.pem").write_text(public_pem(key))
    token = made(tmp_path, "--user", "42", "--private-key-file", str(tmp_path / "private.pem"), "--kid", "k1")
    assert jwt.get_unverified_header(token) == {"alg": alg, "kid": "k1", "typ": "JWT"}
    done = run(tmp_path, "token", "check", token, f"--{setting}-public-key-file", str(tmp_path / "public.pem"))
    assert done.returncode == 0, done.stderr


def test_a_token_that_is_not_good_is_refused_with_the_reason(tmp_path, secret):
    key = ("--hmac-secret-key-file", secret)
    expired = jwt.encode({"sub": "42", "exp": 1}, SECRET, "HS256")
    done = run(tmp_path, "token", "check", expired, *key)
    assert (done.returncode, "the token has expired" in done.stderr) == (1, True)
    answer = json.loads(run(tmp_path, "token", "check", expired, "--json", *key).stdout)
    assert (answer["good"], answer["expired"], answer["unproven"]["sub"]) == (False, True, "42")
    done = run(tmp_path, "token", "check", "rubbish", *key)
    assert (done.returncode, "not three parts" in done.stderr) == (1, True)


NODE = f"""
[token]
hmac_secret_key = "{SECRET}"
[node]
subscribe_to_user_personal_channel = true
[node.namespaces.chat]
allow_subscribe_for_client = true
allow_publish_for_subscriber = true
"""


@pytest.fixture
def settings(tmp_path: Path) -> str:
    """A file with the settings of a node."""
    file = tmp_path / "ringway.toml"
    file.write_text(NODE)
    return str(file)


def test_the_check_says_what_the_bearer_may_do_in_channels(tmp_path, settings):
    token = made(tmp_path, "--user", "42", "--config", settings)
    words = ("token", "check", token, "--config", settings, "--channel", "chat:a", "--channel", "none:a")
    answer = json.loads(run(tmp_path, *words, "--json").stdout)
    assert answer["connect"] == {"allowed": "yes", "why": "the token is good"}
    assert answer["server_side"] == ["#42"]
    chat, none = answer["channels"]
    assert chat["subscribe"] == {"allowed": "yes", "why": "allow_subscribe_for_client"}
    assert chat["publish"] == {"allowed": "while subscribed", "why": "allow_publish_for_subscriber"}
    assert (chat["history"]["code"], none["subscribe"]["code"]) == (103, 102)
    lines = run(tmp_path, *words).stdout.splitlines()
    assert "chat:a  (namespace chat)" in lines
    assert "  subscribe yes: allow_subscribe_for_client" in lines
    assert "  subscribe no, error 102: there is no namespace none" in lines


def test_the_check_of_the_settings_says_what_clients_may_do_in_each_namespace(tmp_path, settings):
    token = made(tmp_path, "--user", "42", "--config", settings)
    done = run(tmp_path, "config", "check", "--config", settings, "--token", token)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert "A good connection token of user '42'." in lines
    assert [line for line in lines if "(namespace" in line] == ["chat:*  (namespace chat)", "*  (namespace default)"]
    done = run(tmp_path, "config", "check", "--config", settings, "--anonymous")
    assert "connect   no, close 3501: no token was sent, and this node takes no clients without one" in done.stdout
    assert run(tmp_path, "config", "check", "--config", settings, "--token", "rubbish").returncode == 1


WRONG = {
    "neither a token nor none": (("check",), "give a token, or --anonymous"),
    "no name of a channel": (("check", "--anonymous", "--channel", "a\nb"), "--channel is no name of a channel"),
    "no key to sign with": (("make", "--user", "42"), "token.hmac_secret_key is not set"),
    "no key to check with": (("check", "a.b.c"), "no key is set that could prove a token"),
    "a short secret": (("make", "--hmac-secret-key", "short"), "has 5 bytes"),
    "no JSON": (("make", "--info", "{", "--hmac-secret-key", SECRET), "--info is '{', which is no JSON"),
    "no claim": (("make", "--claim", "x", "--hmac-secret-key", SECRET), "must be NAME=JSON"),
    "no duration": (("make", "--ttl", "soon", "--hmac-secret-key", SECRET), "is no duration"),
    "no private key": (("make", "--private-key-file", "/none.pem"), "/none.pem"),
}


@pytest.mark.parametrize(("words", "said"), WRONG.values(), ids=WRONG)
def test_what_is_missing_or_wrong_is_one_line_and_exit_code_2(tmp_path, words, said):
    done = run(tmp_path, "token", *words)
    assert (done.returncode, done.stdout) == (2, "")
    [line] = done.stderr.splitlines()
    assert said in line


def test_keys_that_cannot_be_used_are_refused_by_the_check_and_at_the_start(tmp_path):
    (tmp_path / "private.pem").write_text(private_pem(RSA_KEY))
    wrong = {
        "RINGWAY_TOKEN_HMAC_SECRET_KEY": "short",
        "RINGWAY_TOKEN_RSA_PUBLIC_KEY_FILE": str(tmp_path / "private.pem"),
    }
    for words in (
        ("config", "check"),
        ("node", "--engine", "nats://127.0.0.1:1", "--secret", "s" * 32),
        ("gateway", "--backend", "ws://127.0.0.1:1", "--route", "auth=jwt"),
    ):
        done = run(tmp_path, *words, **wrong)
        assert done.returncode == 2
        assert "has 5 bytes" in done.stderr
        assert "openssl pkey -in key.pem -pubout" in done.stderr
    done = run(tmp_path, "gateway", "--backend", "ws://127.0.0.1:1", "--route", "auth=jwt")
    assert (done.returncode, "no key is set that could prove one" in done.stderr) == (2, True)


def test_the_page_about_tokens_works_as_it_is_written(tmp_path):
    page = (Path(__file__).parents[3] / "docs/howto/authenticate.md").read_text()
    shell = re.findall(r"^```sh\n(.*?)^```", page, re.MULTILINE | re.DOTALL)[0]
    python = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)[0]
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    words = ["bash", "-euo", "pipefail", "-c", shell]
    done = subprocess.run(
        words, cwd=tmp_path, env=environ_of(tmp_path, PATH=path), capture_output=True, text=True, timeout=90, check=True
    )
    assert "A good connection token of user '42'." in done.stdout
    script = [sys.executable, "-c", f"{python}\nprint(token)"]
    token = subprocess.run(script, cwd=tmp_path, capture_output=True, text=True, timeout=90, check=True).stdout.strip()
    checked = run(tmp_path, "token", "check", token, "--hmac-secret-key-file", str(tmp_path / "secret"))
    assert checked.returncode == 0, checked.stderr


def test_a_gateway_takes_over_a_new_secret_while_it_runs(tmp_path, secret):
    port = free_port()
    words = ("--backend", "ws://127.0.0.1:1", "--route", "auth=jwt", "--token-hmac-secret-key-file", secret)
    gateway = start(tmp_path, "gateway", "--port", str(port), *words)

    def status(by: str) -> int:
        token = jwt.encode({"sub": "42"}, by, "HS256")
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/gateway?path=/", headers={"Authorization": f"Bearer {token}"}
        )
        try:
            return urllib.request.urlopen(request, timeout=10).status
        except urllib.error.HTTPError as error:
            return error.code

    def answers() -> bool:
        try:
            return status(SECRET) in (200, 503)
        except OSError:
            return False

    try:
        wait_for(answers, "the gateway")
        assert status(NEW) == 401
        Path(secret).write_text(NEW)
        gateway.send_signal(signal.SIGHUP)
        wait_for(lambda: status(NEW) in (200, 503), "the new secret")
        assert status(SECRET) == 401
    finally:
        code, _, err = end(gateway, signal.SIGTERM)
    assert code == 0
    assert "the keys of tokens have changed" in err
    assert SECRET not in err
    assert NEW not in err
