"""The composition root: settings, wiring, supervision and shutdown of Ringway's processes."""
