"""Sessions that move: `donor` gives them away, `target` receives them."""
