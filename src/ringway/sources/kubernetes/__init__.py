"""Backends from the EndpointSlices of a Kubernetes Service."""
