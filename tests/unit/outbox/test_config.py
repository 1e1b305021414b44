"""Settings of the outbox: what contradicts itself is refused, with value, rule and remedy."""

import pytest

from ringway.errors import ConfigError
from ringway.outbox.config import PostgresqlConfig, read_dsn

DSN = "postgresql://u:hunter2@h/d"
WRONG = {
    "no table": ({"dsn": DSN}, "outbox_table_name is missing"),
    "no database": ({"outbox_table_name": "t"}, "give dsn_file, or dsn"),
    "two statements": ({"dsn": DSN, "outbox_table_name": "t; DROP TABLE u"}, "no name of a table"),
    "quotes": ({"dsn": DSN, "outbox_table_name": "t", "rejected_table_name": '"r"'}, "no name of a table"),
    "three parts": ({"dsn": DSN, "outbox_table_name": "a.b.c"}, "no name of a table"),
    "a line break": ({"dsn": DSN, "outbox_table_name": "t\n"}, "no name of a table"),
    "into itself": ({"dsn": DSN, "outbox_table_name": "t", "rejected_table_name": "t"}, "is the outbox"),
    "another database": ({"dsn": "mysql://u:hunter2@h/d", "outbox_table_name": "t"}, "no address of a database"),
    "a long channel": (
        {"dsn": DSN, "outbox_table_name": "t", "partition_notification_channel": "x" * 64},
        "at most 63 bytes",
    ),
}


@pytest.mark.parametrize(("values", "said"), WRONG.values(), ids=WRONG)
def test_what_cannot_be_is_refused(values, said):
    with pytest.raises(ConfigError) as refused:
        PostgresqlConfig(**values)
    assert said in str(refused.value)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("name", ["t", "app.outbox", "_T1"])
def test_names_of_tables(name):
    assert PostgresqlConfig(dsn=DSN, outbox_table_name=name).is_used


def test_without_a_database_there_is_no_outbox():
    assert not PostgresqlConfig().is_used


def test_the_file_has_the_address(tmp_path):
    file = tmp_path / "dsn"
    config = PostgresqlConfig(dsn_file=str(file), outbox_table_name="t")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_dsn(config)
    file.write_text(f"\n{DSN}\n")
    assert read_dsn(config) == DSN
    for text in (b"", b"hunter2", b"\xff"):
        file.write_bytes(text)
        with pytest.raises(ConfigError) as refused:
            read_dsn(config)
        assert "hunter2" not in str(refused.value)
