"""Commands of clients: their order, their effects and their replies."""
