"""Composition: one file for each role of a process, and the parts that roles share. Parts get all that they need."""
