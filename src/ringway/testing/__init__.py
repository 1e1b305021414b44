"""Shipped help for testing applications and engines. The product itself never imports it."""
