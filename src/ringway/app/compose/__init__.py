"""Composition: one file for each role of a process, and what the roles share. Every part is given what it needs."""
