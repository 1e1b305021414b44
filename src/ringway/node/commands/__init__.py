"""Commands of clients: their order, what each does, and its replies."""
