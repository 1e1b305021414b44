"""Hooks over real sockets: real nodes, and a real HTTP server as their backend."""
