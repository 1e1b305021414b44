"""Settings of the outbox, with the names of Centrifugo's consumer `postgresql`."""

import re
from typing import Annotated

import msgspec

from ringway.errors import ConfigError, refuse

TABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}(\.[A-Za-z_][A-Za-z0-9_]{0,62})?")
CHANNEL_BYTES_MAX = 63
"""The longest name of a notification channel in PostgreSQL."""

DSN_FORM = "postgresql://USER:PASSWORD@HOST:5432/DATABASE"


class PostgresqlConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings of the outbox. All nodes must have the same."""

    dsn: Annotated[
        str,
        msgspec.Meta(
            description=f"Address of the database: {DSN_FORM}, with ?sslmode=verify-full for TLS. A node then carries "
            "out the rows of the table. Prefer the file or the environment: other users of the machine can read "
            "flags. Needs `pip install 'ringway[postgres]'`.",
            extra={"secret": True},
        ),
    ] = ""
    dsn_file: Annotated[
        str,
        msgspec.Meta(
            description="File with the address of the database, read again at each connection.",
            extra={"unit": "path"},
        ),
    ] = ""
    outbox_table_name: Annotated[
        str,
        msgspec.Meta(description="The table, as `outbox` or `app.outbox`. Its columns: docs/howto/outbox.md."),
    ] = ""
    num_partitions: Annotated[
        int,
        msgspec.Meta(
            description="Partitions, from 0 to one below this number. Rows of one partition are carried out in the "
            "order of their ids; partitions are shared by the nodes.",
            ge=1,
            le=1000,
        ),
    ] = 1
    partition_select_limit: Annotated[
        int,
        msgspec.Meta(
            description="Rows of one partition that are read, and deleted, together: fewer if their payloads have more "
            "than 8 MiB as stored.",
            ge=1,
            le=10_000,
        ),
    ] = 100
    partition_poll_interval_s: Annotated[
        float,
        msgspec.Meta(
            description="The pause between two looks for new rows, by one query for all partitions.",
            ge=0.01,
            le=60,
            extra={"unit": "s"},
        ),
    ] = 0.3
    partition_notification_channel: Annotated[
        str,
        msgspec.Meta(
            description="Channel of NOTIFY on which the table tells of new rows, with the partition as its text. "
            "Empty: rows are only found by the looks."
        ),
    ] = ""
    rejected_table_name: Annotated[
        str,
        msgspec.Meta(
            description="Table that gets the rows that can never succeed, with the reason in a column `error`. Empty: "
            "they are logged, counted and deleted."
        ),
    ] = ""
    connections_max: Annotated[
        int,
        msgspec.Meta(
            description="Partitions that a node works on at one time, each over a connection of its own; one more "
            "connection looks for rows.",
            ge=1,
            le=100,
        ),
    ] = 4

    def __post_init__(self) -> None:
        """Raise `ConfigError` if the address or a name cannot be used."""
        problems = [
            f"{name} is {value!r}, which is no name of a table; write letters, digits and _, with a schema before a dot"
            for name, value in self._tables()
            if value and not TABLE.fullmatch(value)
        ]
        if self.dsn and not self.dsn.startswith(("postgresql://", "postgres://")):
            problems.append(f"dsn (hidden) is no address of a database; write {DSN_FORM}")
        if self.is_used and not self.outbox_table_name:
            problems.append("outbox_table_name is missing; name the table whose rows are carried out")
        if self.outbox_table_name and not self.is_used:
            problems.append("outbox_table_name is given, and no database; give dsn_file, or dsn")
        if self.rejected_table_name and self.rejected_table_name == self.outbox_table_name:
            problems.append(
                "rejected_table_name is the outbox itself; rejected rows would come back: name another table"
            )
        channel = self.partition_notification_channel
        if len(channel.encode(errors="replace")) > CHANNEL_BYTES_MAX or "\0" in channel:
            problems.append(
                f"partition_notification_channel is {channel!r}; PostgreSQL takes at most {CHANNEL_BYTES_MAX} bytes"
            )
        refuse(problems)

    @property
    def is_used(self) -> bool:
        """True if there is a database."""
        return bool(self.dsn or self.dsn_file)

    def _tables(self) -> tuple[tuple[str, str], ...]:
        return ("outbox_table_name", self.outbox_table_name), ("rejected_table_name", self.rejected_table_name)


def read_dsn(config: PostgresqlConfig) -> str:
    """Return the address of the database; raise `ConfigError` if the file cannot be used."""
    if not config.dsn_file:
        return config.dsn
    try:
        with open(config.dsn_file, encoding="utf-8") as file:
            text = file.read(10_000).strip()
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ConfigError(f"dsn_file {config.dsn_file} cannot be read ({why}); make it, or correct the path") from None
    if not text.startswith(("postgresql://", "postgres://")):
        raise ConfigError(f"dsn_file {config.dsn_file} has no address of a database; write {DSN_FORM}")
    return text
