"""Holder contract: the suite that proves a holder, under its public name. How to use it: `contract.holder`."""

from ringway.testing.contract.holder import HeldClient, HolderContract, HolderWorld

__all__ = ["HeldClient", "HolderContract", "HolderWorld"]
