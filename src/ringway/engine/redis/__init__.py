"""Redis and Valkey as an engine; begin at `engine`."""
