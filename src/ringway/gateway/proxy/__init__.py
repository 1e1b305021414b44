"""WebSockets that are relayed to nodes, and their migration between nodes."""
