"""Channels at a node: their subscribers, what is delivered to them, and what they missed."""
