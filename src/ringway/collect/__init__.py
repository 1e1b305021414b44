"""Custom load: external measures of nodes, from SNMP to a Python function. Begin at `poller.Poller`."""

from ringway.collect.collector import CollectFailed, Collector, Facts

__all__ = ["CollectFailed", "Collector", "Facts"]
