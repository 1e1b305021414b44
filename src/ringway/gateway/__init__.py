"""The gateway of a cluster: discovery, health, and WebSockets that are carried to nodes. `server.Gateway` is it."""
