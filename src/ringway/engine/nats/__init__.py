"""NATS as an engine; begin at `engine`."""
