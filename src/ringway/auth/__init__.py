"""Verification of tokens (JWT): who a client is, by keys that the settings name.

PyJWT and cryptography are loaded when a key is read, so a process without keys does not load them.
"""
