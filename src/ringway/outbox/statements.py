"""Statements for the table of the outbox."""

from ringway.outbox.config import PostgresqlConfig


class Statements:
    """The statements for the table of `config`, whose name was checked."""

    def __init__(self, config: PostgresqlConfig) -> None:
        table, rejected = config.outbox_table_name, config.rejected_table_name
        self.lock = (
            f"SELECT pg_try_advisory_xact_lock(hashtext('ringway outbox ' || '{table}'::regclass::oid::text), $1::int)"
        )
        self.select = (
            "SELECT id, method, payload, (extract(epoch FROM created_at) * 1000000)::bigint AS created_us, found FROM ("
            "SELECT *, count(*) OVER () AS found, sum(bytes) OVER (ORDER BY id) - bytes AS bytes_before FROM ("
            "SELECT id, method, payload, created_at, coalesce(pg_column_size(payload), 0) AS bytes "
            f"FROM {table} WHERE partition = $1 ORDER BY id LIMIT $2) AS oldest) AS sized "
            "WHERE bytes_before < $3::bigint ORDER BY id"
        )
        self.delete = f"DELETE FROM {table} WHERE id = ANY($1)"
        self.reject = (
            f"INSERT INTO {rejected} (id, method, payload, partition, created_at, error) "
            f"SELECT id, method, payload, partition, created_at, $2 FROM {table} WHERE id = $1"
        )
        self.look = (
            "SELECT p.partition, oldest.age_s FROM generate_series(0, $1::int - 1) AS p (partition), LATERAL ("
            "SELECT extract(epoch FROM clock_timestamp() - created_at)::float8 AS age_s "
            f"FROM {table} WHERE partition = p.partition ORDER BY id LIMIT 1) AS oldest"
        )
        self.stray = f"SELECT partition FROM {table} WHERE partition < 0 OR partition >= $1 LIMIT 1"
        self.check_rejected = f"SELECT id, method, payload, partition, created_at, error FROM {rejected} LIMIT 0"
