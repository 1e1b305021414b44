"""Channels at a node: their subscribers, the deliveries to them, and the recovery of missed publications."""
