"""Backends of a gateway: the backends that its sources offer, and the connections that it holds at each backend."""
