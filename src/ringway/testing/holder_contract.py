"""Holder contract: the suite that proves a holder, under its public name. `contract.holder` says how to use it."""

from ringway.testing.contract.holder import HeldClient, HolderContract, HolderWorld

__all__ = ["HeldClient", "HolderContract", "HolderWorld"]
