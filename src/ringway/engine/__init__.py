"""Adapters: existing distributed systems behind the ports. `nats` is the default, `memory` serves one process."""
