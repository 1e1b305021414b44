"""Placement of clients: their nodes, their pace, and their tickets."""
