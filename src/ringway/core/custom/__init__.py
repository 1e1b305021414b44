"""Load that is measured from outside: scores, gates, and a slow weight loop. `load` combines them."""
