"""Placement of clients: which node, at what pace, and with which ticket."""
