"""Surroundings of tests and benchmarks: real servers, fleets of them, network namespaces, whole systems."""
