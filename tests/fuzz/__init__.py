"""Fuzzing: every parser that reads data from strangers (`scripts/fuzz`)."""
