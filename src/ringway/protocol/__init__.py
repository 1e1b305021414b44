"""Protocol on the wire. Pure: no I/O, no clock, no randomness. `PROTOCOL.md` states the same, clause by clause."""
