"""Balance of connections over nodes: `plan` says what is moved, `pace` how fast, `guard` when nothing is.

A leader's decisions come together in `term`, round by round.
"""
