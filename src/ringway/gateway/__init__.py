"""The gateway of a cluster: discovery, health, and WebSockets that are carried to nodes. Its class is
`server.Gateway`."""
