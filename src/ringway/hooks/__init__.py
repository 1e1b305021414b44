"""Hooks: questions to a backend over HTTP when a client acts, bounded in number and in time."""
