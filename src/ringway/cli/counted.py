"""Counts as people say them: `1 connection`, `12,000 connections`."""


def counted(count: int, noun: str) -> str:
    """Return `count` of `noun`, whose plural ends in s."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def verb(count: int, verb_of_many: str) -> str:
    """Return the verb that goes with `count`, such as `leaves` for `leave`."""
    return f"{verb_of_many}s" if count == 1 else verb_of_many
