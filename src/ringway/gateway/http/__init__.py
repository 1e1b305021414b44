"""The public port as long as a connection speaks HTTP."""
