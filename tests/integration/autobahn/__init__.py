"""Conformance to RFC 6455, judged by the Autobahn test suite."""
