"""Channels at a node: what is delivered of them, to whom, and what was missed."""
