"""Decisions of Ringway. Pure: values in, values out; `now` and `rng` are arguments."""
