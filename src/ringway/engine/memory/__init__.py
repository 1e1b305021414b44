"""Engine of one process; begin at `engine`."""
