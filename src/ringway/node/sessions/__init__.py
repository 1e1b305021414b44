"""Sessions that move between nodes: `donor` gives them away, `target` receives them."""
