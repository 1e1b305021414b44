"""Custom load: external measures of nodes, from SNMP to a Python function. Begin at `poller.Poller`."""

from ringway.collect.collector import CollectFailed, Collector, Facts
from ringway.collect.config import LoadConfig
from ringway.collect.poller import CollectStats, Poller
from ringway.collect.sources import Probe, read_probes

__all__ = ["CollectFailed", "CollectStats", "Collector", "Facts", "LoadConfig", "Poller", "Probe", "read_probes"]
