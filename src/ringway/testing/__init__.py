"""Test support for applications and engines, shipped with the product, which itself never imports it."""
