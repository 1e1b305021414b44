"""Sources of backends: each follows one description of the servers that are there, and tells the gateway."""
