"""Placement of clients: their nodes, their slots, and their tickets."""
