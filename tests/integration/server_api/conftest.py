"""Fixtures of the node's tests, for the tests of its server API."""

from integration.node.conftest import dial, hub, pytest_asyncio_loop_factories, start_node

__all__ = ["dial", "hub", "pytest_asyncio_loop_factories", "start_node"]
