"""Backends of a gateway: those that its sources offer, and the connections that it holds at each."""
