"""Protocol on the wire. Pure: no I/O, no clock, no dice. `PROTOCOL.md` states the same, clause by clause."""
