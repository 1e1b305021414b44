"""What to do. Pure: values in, values out; `now` and `rng` are arguments."""
