"""The sidecar: registers a server of any kind as a backend, watches it, and leads its clients away before it ends."""
