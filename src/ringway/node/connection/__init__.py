"""Connections of clients: accepting, the handshake, reading, sending, and the end."""
