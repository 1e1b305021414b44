"""The engine of one process; begin at `engine`."""
