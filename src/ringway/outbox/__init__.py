"""The outbox: rows of a table of PostgreSQL, which name methods of the server API, are carried out by nodes."""
