"""The simulator: the product's own core with simulated clients, in virtual time. Begin reading at `world`."""
