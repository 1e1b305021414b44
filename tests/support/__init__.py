"""What tests and benchmarks need of the world: real servers, fleets of them, network namespaces, whole systems."""
