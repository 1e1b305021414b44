"""WebSockets carried to nodes, and their migration from node to node."""
