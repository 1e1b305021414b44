"""Slots of a Redis Cluster: the part of the cluster to which a name belongs.

Source: the Redis Cluster specification. The slot of a name is the CRC16 (XMODEM) of the text in its first pair of
braces, or of the whole name if there is no such text, modulo 16384. Names that must share a slot have the same text in
braces.
"""

import binascii

SLOTS = 16_384


def slot_of(name: bytes) -> int:
    """Return the slot of `name`, from 0 to 16383."""
    opened = name.find(b"{")
    if opened >= 0:
        closed = name.find(b"}", opened + 1)
        if closed > opened + 1:
            name = name[opened + 1 : closed]
    return binascii.crc_hqx(name, 0) % SLOTS
