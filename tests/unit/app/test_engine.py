import pytest

from ringway.app.engine import (
    EngineConfig,
    check_scheme,
    open_engine,
    read_hash_secret,
    read_secret,
    settled,
    whole_url,
)
from ringway.errors import ConfigError


@pytest.mark.parametrize("url", ["rediss+ring://a", "http://a", "127.0.0.1:4222", "nats", "//[", ""])
def test_a_url_of_an_unknown_kind_says_which_there_are(url):
    with pytest.raises(ConfigError, match="nats://host:4222"):
        check_scheme(url)


def test_a_refused_url_is_shown_without_its_credentials():
    with pytest.raises(ConfigError) as raised:
        check_scheme("mqtt://user:hunter2@host:6379?password=hunter2")
    assert "hunter2" not in str(raised.value)
    assert "host:6379" in str(raised.value)


@pytest.mark.parametrize("tls", ["", "s"])
@pytest.mark.parametrize("kind", ["", "+sentinel", "+cluster"])
def test_redis_is_known_in_all_its_forms(tls, kind):
    assert check_scheme(f"redis{tls}{kind}://a") == f"redis{tls}{kind}"


def test_settings_say_how_to_connect_where_the_url_does_not():
    config = EngineConfig(url="tls://a,b", ca_file="/ca", user="u", password_file="/p w", tls_first=True)
    assert whole_url(config) == "tls://a,b?ca_file=/ca&tls_first=true&user=u&password_file=/p%20w"
    own = EngineConfig(url="tls://u:p@a?ca_file=/mine", ca_file="/ca", cert_file="/c", creds_file="/creds")
    assert whole_url(own) == "tls://u:p@a?ca_file=/mine&cert_file=/c"
    assert whole_url(EngineConfig(url="memory://", ca_file="/ca")) == "memory://"
    assert whole_url(settled(config, "nats://x")) == "nats://x"


def test_the_secret_comes_from_the_setting_or_its_file(tmp_path):
    file = tmp_path / "secret"
    file.write_text("from-the-file-of-it\n")
    assert read_secret(EngineConfig(secret_file=str(file))) == b"from-the-file-of-it"
    assert read_secret(EngineConfig(secret="given-by-the-flag", secret_file=str(file))) == b"given-by-the-flag"


def test_the_hash_secret_is_the_secret_until_it_has_a_setting_of_its_own(tmp_path):
    file = tmp_path / "hash"
    file.write_text("of-hash-tables-alone")
    assert read_hash_secret(EngineConfig(secret="given-by-the-flag")) == b"given-by-the-flag"
    assert read_hash_secret(EngineConfig(secret="x" * 16, hash_secret="y" * 16)) == b"y" * 16
    assert read_hash_secret(EngineConfig(secret="x" * 16, hash_secret_file=str(file))) == b"of-hash-tables-alone"
    with pytest.raises(ConfigError, match=r"engine\.hash_secret has 5 characters"):
        read_hash_secret(EngineConfig(secret="x" * 16, hash_secret="short"))


def test_an_empty_file_is_no_secret(tmp_path):
    file = tmp_path / "secret"
    file.write_text(" \n")
    with pytest.raises(ConfigError, match="is empty"):
        read_secret(EngineConfig(secret_file=str(file)))


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (EngineConfig(), "no secret"),
        (EngineConfig(secret="short"), "has 5 characters; give at least 16"),
        (EngineConfig(secret_file="/does/not/exist"), "cannot be read"),
    ],
)
def test_a_missing_or_short_secret_is_a_config_error(config, said):
    with pytest.raises(ConfigError, match=said):
        read_secret(config)


async def test_memory_opens_and_closes_with_the_block():
    async with open_engine(EngineConfig(url="memory://"), "test") as engine:
        assert engine.up
    assert not engine.up
