"""Backends from applications in a Eureka registry."""
