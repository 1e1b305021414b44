"""Fuzzing: every parser that reads what a stranger sends (`scripts/fuzz`)."""
